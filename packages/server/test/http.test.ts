import { once } from 'node:events';
import http from 'node:http';
import type { ConnectionDuplex, Server } from '@millrace/server';
import { make, serve } from './support/serve';
import { deferred, until } from './support/wait';

interface Web {
  readonly server: Server;
  readonly port: number;
  readonly web: http.Server;
  readonly sockets: ConnectionDuplex[];
  readonly connect: Awaited<ReturnType<typeof serve>>['connect'];
}

/** An http.Server behind ours. */
async function serveHttp(listener: http.RequestListener, options: object = {}): Promise<Web> {
  const web = http.createServer(listener);
  const sockets: ConnectionDuplex[] = [];
  const { server, port, connect } = await serve({
    ...options,
    handler: {
      open(connection) {
        const socket = connection.toDuplex();
        sockets.push(socket);
        web.emit('connection', socket);
      },
      message: () => {
        throw new Error('a stream has its messages');
      },
    },
  });
  return { server, port, web, sockets, connect };
}

const agents: http.Agent[] = [];

afterEach(() => agents.splice(0).forEach((agent) => agent.destroy()));

const keepAlive = (): http.Agent => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  agents.push(agent);
  return agent;
};

async function request(
  options: http.RequestOptions,
  body?: Uint8Array | string,
): Promise<{ status: number; body: Buffer; headers: http.IncomingHttpHeaders }> {
  const outgoing = http.request({ host: '127.0.0.1', ...options });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode!, body: Buffer.concat(chunks), headers: response.headers };
}

describe('http over toDuplex()', () => {
  test('many requests on one connection', async () => {
    const { port, server, sockets } = await serveHttp((incoming, response) => {
      response.end(`${incoming.method} ${incoming.url} of ${incoming.socket.remoteAddress}`);
    });
    const agent = keepAlive();
    for (let i = 0; i < 20; i++) {
      const { status, body } = await request({ port, path: `/${i}`, agent });
      expect([status, body.toString()]).toEqual([200, `GET /${i} of 127.0.0.1`]);
    }
    expect(server.stats().connections.accepted).toBe(1);
    const [socket] = sockets;
    expect(socket).toMatchObject({ remoteFamily: 'IPv4', localAddress: '127.0.0.1', localPort: port });
    expect(socket!.bytesRead).toBeGreaterThan(0);
    expect(socket!.bytesWritten).toBeGreaterThan(0);
  });

  test('pipelined requests are answered in order', async () => {
    const { connect } = await serveHttp((incoming, response) => {
      // The first is the last to be ready.
      setTimeout(() => response.end(incoming.url), incoming.url === '/n0' ? 20 : 0);
    });
    const client = await connect();
    for (let i = 0; i < 10; i++) {
      client.write(`GET /n${i} HTTP/1.1\r\nHost: x\r\n${i === 9 ? 'Connection: close\r\n' : ''}\r\n`);
    }
    const text = (await client.readAll()).toString();
    expect(text.match(/n\d/g)).toEqual(Array.from({ length: 10 }, (_, i) => `n${i}`));
  });

  test('large bodies, both ways', async () => {
    const { port } = await serveHttp((incoming, response) => void incoming.pipe(response));
    const bytes = Buffer.alloc(20 * 2 ** 20);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE((i * 2_654_435_761) >>> 0, i);
    const { body } = await request({ port, method: 'POST' }, bytes);
    expect(body.equals(bytes)).toBe(true);
  });

  test('a download that nobody reads waits, and goes on', async () => {
    let drains = 0;
    const bytes = 12 * 2 ** 20;
    const { connect, server } = await serveHttp((_incoming, response) => {
      response.on('drain', () => drains++);
      let left = bytes;
      const fill = (): void => {
        while (left > 0) {
          left -= 65_536;
          if (!response.write(Buffer.alloc(65_536, 1))) return;
        }
        response.end();
      };
      response.on('drain', fill);
      fill();
    });
    const client = await connect();
    client.stopReading().write('GET / HTTP/1.0\r\n\r\n');
    await until(() => (server.connections()[0]?.bufferedBytes ?? 0) > 0);
    // What waits here is bounded by the marks, not by the body.
    expect(server.stats().memory.usedBytes).toBeLessThan(4 * 2 ** 20);
    client.readOn();
    expect((await client.readAll()).length).toBeGreaterThan(bytes);
    expect(drains).toBeGreaterThan(0);
  });

  test('an upload that nobody reads is not read', async () => {
    const received = deferred<http.IncomingMessage>();
    const { server, connect } = await serveHttp((incoming, response) => {
      received.resolve(incoming);
      incoming.on('end', () => response.end('done'));
    });
    const client = await connect();
    const bytes = 32 * 2 ** 20;
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`);
    client.write(Buffer.alloc(bytes));
    const incoming = await received.promise;
    let before = -1;
    await until(() => {
      const now = server.stats().bytes.read;
      const still = now === before && server.stats().queues.receive.depth === 0;
      before = now;
      return still && now > 0;
    });
    expect(before).toBeLessThan(bytes / 2);
    incoming.resume();
    expect((await client.readAll()).toString()).toContain('done');
    expect(server.stats().bytes.read).toBeGreaterThan(bytes);
  });

  test('a client that resets is an aborted request', async () => {
    const aborted = deferred<string>();
    const { connect } = await serveHttp((incoming, response) => {
      incoming.on('error', (error: NodeJS.ErrnoException) => aborted.resolve(error.code!));
      response.write('begun');
    });
    const client = await connect();
    client.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n');
    await client.readLine('begun');
    client.reset();
    expect(await aborted.promise).toBe('ECONNRESET');
  });

  test('a malformed request is answered by http, and the others are served', async () => {
    const { port, connect } = await serveHttp((_incoming, response) => void response.end('fine'));
    const client = await connect();
    client.write('NONSENSE\r\n\r\n');
    expect((await client.readAll()).toString()).toMatch(/^HTTP\/1\.1 400/);
    expect((await request({ port })).body.toString()).toBe('fine');
  });

  test("keep-alive times out by http's own timer", async () => {
    const { web, server, connect } = await serveHttp((_incoming, response) => void response.end('fine'));
    web.keepAliveTimeout = 30;
    const client = await connect();
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect((await client.readAll()).toString()).toContain('fine');
    client.end();
    await until(() => server.stats().connections.open === 0);
    expect(server.stats().connections.closed).toMatchObject({ local: 1 });
  });
});

describe('close() with http', () => {
  test('finishes the response under way, tells that it is the last, and ends idle connections', async () => {
    const gate = deferred();
    const { server, port } = await serveHttp(
      (_incoming, response) => void gate.promise.then(() => response.end('in time')),
    );
    const idle = keepAlive();
    const busy = keepAlive();
    const first = request({ port, agent: idle });
    await until(() => server.stats().messages.handled === 1);
    gate.resolve();
    await first;
    const answer = request({ port, agent: busy });
    await until(() => server.stats().connections.open === 2);
    await until(() => server.stats().messages.handled === 2);
    const closing = server.close();
    const { body, headers } = await answer;
    expect(body.toString()).toBe('in time');
    await closing;
    expect(headers.connection).toMatch(/close|keep-alive/);
    expect(server.stats().connections.closed).toMatchObject({ error: 0, reset: 0 });
  });

  test('a response that takes longer than the close began', async () => {
    let response: http.ServerResponse | undefined;
    const { server, port } = await serveHttp((_incoming, outgoing) => void (response = outgoing));
    const answer = request({ port, agent: keepAlive() });
    await until(() => response !== undefined);
    const closing = server.close();
    await until(() => response!.getHeader('connection') === 'close');
    response!.end('in time');
    const { body, headers } = await answer;
    expect(body.toString()).toBe('in time');
    expect(headers.connection).toBe('close');
    await closing;
  });

  test('what takes too long is ended with drainMs, and its writes fail without harm', async () => {
    const errors: string[] = [];
    const { server, port, sockets } = await serveHttp((_incoming, response) => void response.write('begun'));
    const outgoing = http.get({ host: '127.0.0.1', port });
    const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
    response.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code!));
    response.resume();
    await server.close({ drainMs: 20 });
    const [socket] = sockets;
    expect(socket!.destroyed).toBe(true);
    socket!.on('error', () => {});
    expect(socket!.write('late')).toBe(false);
    await until(() => errors.length === 1);
    expect(errors).toEqual(['ECONNRESET']);
  });

  test('works in worker threads', async () => {
    const server = make({ handler: `${__dirname}/handlers/http.js`, workers: 2 });
    const { port } = (await server.listen({ host: '127.0.0.1' })) as { port: number };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => request({ port, path: `/${i}` })));
    answers.forEach(({ body }, i) => expect(body.toString()).toBe(`/${i}`));
  });
});
