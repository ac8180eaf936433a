import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { createServer, resp, type Server, type ServerOptions } from '../index.js';
import { AdminListener } from './admin.js';
import { reason, spellConfig, StartError } from './config.js';
import { GatewayFeed } from './gateway-feed.js';
import handler, { type HandlerData } from './handler.js';
import { MAX_VALUE_BYTES } from './keyspace.js';
import { shareOut } from './memory-budget.js';
import type { Config } from './options.js';
import type { Settings } from './services.js';
import { Stores } from './stores.js';
import { formatBytes } from './units.js';

const MAX_SUBSCRIPTIONS = 1024;
/** Of all connections together. */
const MAX_ALL_SUBSCRIPTIONS = 131_072;
/** What a subscriber may be behind with, and the largest reply: KEYS of very many. */
const MAX_WRITE_BYTES = 16 * 1024 * 1024;
/** Two of the largest commands. */
const MIN_ARENA_BYTES = 2 * MAX_VALUE_BYTES;
const BOARD_REFRESH_MS = 1000;
const REFUSALS = /^ERR_(SERVER_|OUT_OF_RANGE|INVALID_ARG_VALUE)/;

export interface MemoryPlan {
  readonly totalBytes: number;
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/**
 * The running gateway: the server with its command handlers, the structures they share, the feed, the admin listener.
 * Lives on the main thread, which made it, and is closed there.
 */
export class Gateway {
  readonly config: Config;
  readonly memoryPlan: MemoryPlan;
  readonly #log: Logger;
  readonly #stores: Stores;
  readonly #feed: GatewayFeed | undefined;
  readonly #server: Server;
  #admin: AdminListener | undefined;
  #refresh: NodeJS.Timeout | undefined;
  #ready = false;
  #closing: Promise<void> | undefined;

  private constructor(config: Config, log: Logger) {
    const budget = shareOut(config.maxMemoryBytes, config.maxClients);
    if (budget === undefined) throw tooLittleMemory(config);
    this.config = config;
    this.#log = log;
    this.#stores = Stores.create(budget.stores);
    this.#feed = config.feed.kind === 'none' ? undefined : new GatewayFeed(config, budget.feedBytes, this.#stores, log);
    const handlerData: HandlerData = {
      stores: this.#stores.share(),
      settings: settingsOf(config, budget.stores.maxKeyBytes),
      feed: this.#feed?.feed.share(),
    };
    const feedParts = this.#feed === undefined ? [] : [{ name: 'feed', bytes: this.#feed.plannedBytes }];
    const others = [...Stores.plan(budget.stores), ...feedParts];
    const room = config.maxMemoryBytes - others.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#server = createWithin(config, handlerData, room);
    this.memoryPlan = sumUp([{ name: 'server', bytes: this.#server.memoryPlan().totalBytes }, ...others]);
    this.#report();
  }

  /** Resolves when everything listens. Throws StartError for what whoever started it can put right. */
  static async start(config: Config, log: Logger): Promise<Gateway> {
    const gateway = Gateway.#construct(config, log);
    try {
      await gateway.#start();
    } catch (error) {
      // Why it did not start matters more than what then went wrong.
      await gateway.close().catch((closeError: unknown) => log.error({ err: closeError }, 'could not stop cleanly'));
      throw error;
    }
    return gateway;
  }

  /** What the libraries refuse in a configuration is for whoever wrote it. */
  static #construct(config: Config, log: Logger): Gateway {
    try {
      return new Gateway(config, log);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined || !REFUSALS.test(code)) throw error;
      throw new StartError(message);
    }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Undefined: there is no admin listener. */
  get adminPort(): number | undefined {
    return this.#admin?.port;
  }

  get topology(): string {
    return this.#server.stats().topology;
  }

  /** Stops the feed, finishes what is in flight, closes the connections. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #start(): Promise<void> {
    const { host, port, adminPort } = this.config;
    const { board } = this.#stores;
    await listening(host, port, this.#server.listen({ host, port }));
    board.set('port', this.port);
    board.set('startedAtMs', Date.now());
    board.set('memoryPlanBytes', this.memoryPlan.totalBytes);
    this.#refreshBoard();
    this.#refresh = setInterval(() => this.#refreshBoard(), BOARD_REFRESH_MS).unref();
    if (adminPort !== undefined) {
      this.#admin = new AdminListener({
        server: this.#server,
        feed: this.#feed?.feed,
        board,
        memoryPlan: this.memoryPlan,
        config: spellConfig(this.config),
        isReady: () => this.#ready,
      });
      await listening(host, adminPort, this.#admin.listen(host, adminPort));
    }
    await this.#feed?.start(this.#server.share());
    this.#ready = true;
  }

  async #close(): Promise<void> {
    this.#ready = false;
    // Whatever fails, the rest is closed.
    try {
      await this.#feed?.close();
    } finally {
      try {
        await this.#server.close();
      } finally {
        await this.#admin?.close();
        clearInterval(this.#refresh);
        this.#stores.close();
      }
    }
  }

  /** What the figures of INFO come from, besides those that the workers count. */
  #refreshBoard(): void {
    const { board } = this.#stores;
    const { connections, bytes, published, memory } = this.#server.stats();
    board.set('serverUsedBytes', memory.usedBytes);
    board.set('connectionsAccepted', connections.accepted);
    board.set('connectionsRejected', sum(connections.rejected));
    board.set('bytesRead', bytes.read);
    board.set('bytesWritten', bytes.written);
    board.set('publishedDelivered', published.delivered);
    board.set('publishedConflated', published.conflated);
    board.set('publishedDropped', sum(published.dropped));
  }

  #report(): void {
    const server = this.#server;
    const log = this.#log;
    server.on('warn', (report) => log.warn(report, 'a worker is slow'));
    server.on('stuck', (report) => log.error(report, 'a worker is stuck'));
    server.on('replaced', (report) => {
      const swept = this.#stores.sessions.sweep(() => new Set(server.connections().map(({ sequence }) => sequence)));
      log.warn({ ...report, swept }, 'a worker was replaced');
    });
    server.on('overload', (event) => log.warn(event, 'memory is short'));
    server.on('handlerError', (error, connection) => log.error({ err: error, connection }, 'a command failed'));
    server.on('error', (error) => log.error({ err: error }, 'server'));
  }
}

/**
 * The server's own tables come on top of its arena and grow with it: the arena gets what they leave. Each step answers
 * the tables of the arena before it, so that the steps end below and above the mark by turns; an odd one ends below.
 */
function createWithin(config: Config, handlerData: HandlerData, room: number): Server {
  let arenaBytes = room;
  for (let step = 0; step < 3; step++) {
    if (arenaBytes < MIN_ARENA_BYTES) throw tooLittleMemory(config);
    const probe = createServer(serverOptions(config, handlerData, arenaBytes));
    arenaBytes = room - (probe.memoryPlan().totalBytes - arenaBytes);
    void probe.close();
  }
  if (arenaBytes < MIN_ARENA_BYTES) throw tooLittleMemory(config);
  return createServer(serverOptions(config, handlerData, arenaBytes));
}

function serverOptions(config: Config, workerData: HandlerData, maxBytes: number): ServerOptions {
  const common = {
    topology: config.topology,
    framing: resp({ maxBytes: MAX_VALUE_BYTES }),
    idleTimeoutMs: config.idleTimeoutMs,
    maxConnections: config.maxClients,
    maxSubscriptions: MAX_ALL_SUBSCRIPTIONS,
    memory: { maxBytes },
    connection: { slowConsumer: 'conflate', maxWriteBytes: MAX_WRITE_BYTES },
    workerData,
  } as const;
  return config.workers === 0
    ? { ...common, handler, workers: 0 }
    : { ...common, handler: join(__dirname, 'handler.js'), workers: config.workers };
}

function settingsOf(config: Config, maxKeyBytes: number): Settings {
  return {
    host: config.host,
    maxMemoryBytes: config.maxMemoryBytes,
    maxClients: config.maxClients,
    maxKeyBytes,
    maxSubscriptions: MAX_SUBSCRIPTIONS,
    idleTimeoutMs: config.idleTimeoutMs,
    maxCommandBytes: MAX_VALUE_BYTES,
    workers: config.workers,
    feed: String(spellConfig(config).feed),
  };
}

async function listening(host: string, port: number, pending: Promise<unknown>): Promise<void> {
  try {
    await pending;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new StartError(`cannot listen on ${host}:${port}: ${reason(error)}`);
  }
}

function tooLittleMemory({ maxMemoryBytes, maxClients }: Config): StartError {
  return new StartError(
    `--max-memory ${formatBytes(maxMemoryBytes)} is too little for ${maxClients} clients: raise it, or lower --max-clients`,
  );
}

function sumUp(parts: MemoryPlan['parts']): MemoryPlan {
  return { totalBytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), parts };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
