import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Feed } from '@millrace/feed';
import type { ConnectionInfo, Server } from '../index.js';
import type { Board } from './board.js';
import { Metrics } from './metrics.js';

export interface AdminSubjects {
  readonly server: Server;
  readonly feed: Feed<'u64'> | undefined;
  readonly board: Board;
  readonly memoryPlan: { readonly totalBytes: number };
  readonly config: unknown;
  readonly isReady: () => boolean;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Route = (query: URLSearchParams) => Answer | Promise<Answer>;

const SORTS: readonly (keyof ConnectionInfo)[] = [
  'bufferedBytes',
  'bytesRead',
  'bytesWritten',
  'idleMs',
  'openedAtMs',
  'sequence',
];
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;
const MAX_CONNECTIONS = 64;
const REQUEST_TIMEOUT_MS = 10_000;

/** Health, metrics and state over HTTP, on a port of its own. Lives on the main thread; reads only. */
export class AdminListener {
  readonly #http: HttpServer;
  readonly #routes: ReadonlyMap<string, Route>;

  constructor({ server, feed, board, memoryPlan, config, isReady }: AdminSubjects) {
    const metrics = new Metrics({ server, feed, board, memoryPlan });
    this.#routes = new Map<string, Route>([
      ['/livez', () => text(200, 'ok')],
      ['/readyz', () => (isReady() ? text(200, 'ok') : text(503, 'not ready'))],
      ['/metrics', async () => ({ status: 200, type: metrics.contentType, body: await metrics.render() })],
      ['/connections', (query) => connections(server, query)],
      ['/queues', () => json(200, { server: server.stats().queues, feed: feed?.stats() })],
      ['/threads', () => json(200, { workers: server.stats().workers })],
      ['/config', () => json(200, config)],
    ]);
    this.#http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#http.maxConnections = MAX_CONNECTIONS;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen({ host, port }, () => {
        this.#http.off('error', reject);
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#http.close(() => resolve());
      this.#http.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#route(request);
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #route(request: IncomingMessage): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return json(405, { error: 'only GET and HEAD' });
    const [path = '', query = ''] = (request.url ?? '/').split('?', 2);
    const route = this.#routes.get(path);
    if (route === undefined) return json(404, { error: 'no such page', pages: [...this.#routes.keys()] });
    try {
      return await route(new URLSearchParams(query));
    } catch (error) {
      return json(500, { error: (error as Error).message });
    }
  }
}

function connections(server: Server, query: URLSearchParams): Answer {
  const sort = SORTS.find((each) => each === (query.get('sort') ?? 'bufferedBytes'));
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  if (sort === undefined) return json(400, { error: `sort must be one of ${SORTS.join(', ')}` });
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return json(400, { error: `limit must be a whole number, 1 to ${MAX_LIMIT}` });
  }
  const { open } = server.stats().connections;
  return json(200, { open, connections: server.connections({ sort, limit }) });
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
}
