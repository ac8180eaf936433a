import { once } from 'node:events';
import { createServer, lines, type Connection, type Server } from '@millrace/server';
import { runChild } from './support/child';
import { connectTo, handlerModule, make, portOf, serve } from './support/serve';
import { deferred, failure, until } from './support/wait';

const refused = async (port: number): Promise<boolean> =>
  (await failure(() => connectTo(port))).code === 'ECONNREFUSED';

describe.each([0, 2])('with %i workers', (workers) => {
  test.each([
    'closed after use',
    'never listened',
    'closed, never listened',
    'listen failed',
    'unref',
    'unref before listen',
    'unref and ref',
    'aborted by a signal',
    'await using',
  ])('the process ends by itself: %s', async (name) => {
    const { code, signal, stdout, stderr } = await runChild('keeps-alive.js', { args: [workers, name] });
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toBe(name === 'unref and ref' ? 'done\nstill here\n' : 'done\n');
  });
});

describe('close()', () => {
  test('is idempotent, answers the same promise, and emits close once', async () => {
    const { server } = await serve({ handler: {} });
    let closes = 0;
    server.on('close', () => closes++);
    const first = server.close();
    expect(server.close({ drainMs: 0 })).toBe(first);
    await first;
    await server.close();
    expect(closes).toBe(1);
    expect(server).toMatchObject({ listening: false });
    expect(server.address()).toBeNull();
  });

  test.each([
    [{ drainMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ drainMs: 'now' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %j', async (options, code) => {
    const { server } = await serve({ handler: {} });
    expect((await failure(() => server.close(options as never))).code).toBe(code);
    expect(server.listening).toBe(true);
  });

  test('refuses new clients at once', async () => {
    const pending = deferred();
    const { server, port, connect } = await serve({ handler: { message: () => pending.promise } });
    const client = await connect();
    client.write('x');
    await until(() => server.stats().messages.received === 1);
    const closing = server.close();
    await until(() => true);
    for (;;) {
      // The backlog may take one that the listener will not.
      const outcome = await connectTo(port).then(
        (late) => late.readAll().then(() => 'turned away'),
        (error: NodeJS.ErrnoException) => error.code,
      );
      if (outcome === 'ECONNREFUSED') break;
    }
    pending.resolve();
    await client.readAll();
    client.end();
    await closing;
    expect(await refused(port)).toBe(true);
  });

  test('an answer that an async handler is still working on is sent first', async () => {
    const pending = deferred();
    const reasons: string[] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        async message(connection, message) {
          await pending.promise;
          connection.send(`answer to ${message.utf8()}`);
        },
        close: (_connection, reason) => void reasons.push(reason),
      },
    });
    const client = await connect();
    client.write('one\ntwo\n');
    await until(() => server.stats().messages.received === 2);
    const closing = server.close();
    pending.resolve();
    expect((await client.readAll()).toString()).toBe('answer to one\nanswer to two\n');
    client.end();
    await closing;
    expect(reasons).toEqual(['server']);
    expect(server.stats().messages).toMatchObject({ received: 2, handled: 2, inFlight: 0 });
  });

  test('output that the peer is slow to take is sent first', async () => {
    const bytes = 4 * 2 ** 20;
    const { server, connect } = await serve({
      handler: { message: (connection) => void connection.write(Buffer.alloc(bytes, 7)) },
    });
    const client = await connect();
    client.stopReading().write('x');
    await until(() => (server.connections()[0]?.bufferedBytes ?? 0) > 0);
    const closing = server.close();
    client.readOn();
    expect((await client.readAll()).length).toBe(bytes);
    client.end();
    await closing;
    expect(server.stats().connections.closed).toMatchObject({ server: 1 });
  });

  test('idle connections end at once, without a reset', async () => {
    const { server, connectMany } = await serve({ handler: {} });
    const clients = await connectMany(20);
    await until(() => server.stats().connections.open === 20);
    const closing = server.close();
    await Promise.all(
      clients.map(async (client) => {
        expect((await client.readAll()).length).toBe(0);
        client.end();
      }),
    );
    await closing;
    expect(clients.map(({ error }) => error)).toEqual(clients.map(() => undefined));
  });

  test('a client that never ends and a handler that never settles are ended when drainMs is over', async () => {
    const { server, connect } = await serve({ handler: { message: () => new Promise(() => {}) } });
    const client = await connect();
    client.write('x');
    await until(() => server.stats().messages.inFlight === 1);
    await server.close({ drainMs: 50 });
    expect((await client.readAll()).length).toBe(0);
    const { messages, connections } = server.stats();
    expect(messages).toMatchObject({ received: 1, handled: 0, failed: 1, inFlight: 0 });
    expect(connections).toMatchObject({ open: 0, closed: { server: 1 } });
  });

  test('a signal forces it', async () => {
    const abort = new AbortController();
    const { server, connect } = await serve({ handler: { message: () => new Promise(() => {}) } });
    const client = await connect();
    client.write('x');
    await until(() => server.stats().messages.inFlight === 1);
    const closing = server.close({ drainMs: 60_000, signal: abort.signal });
    abort.abort();
    await closing;
  });

  test("from within each of a handler's functions", async () => {
    for (const member of ['open', 'message', 'close', 'error'] as const) {
      const closed = deferred<Promise<void>>();
      const end = (): void => closed.resolve(server.close({ drainMs: 100 }));
      const handler = {
        message(connection: Connection<undefined>) {
          if (member === 'error') throw new Error('on purpose');
          connection.end();
        },
        [member]: end,
      };
      const server: Server = make({ handler });
      const { port } = (await server.listen({ host: '127.0.0.1' })) as { port: number };
      const client = await connectTo(port);
      client.write('x').end();
      await closed.promise.then((closing) => closing);
      await client.closed;
    }
  });
});

describe("the handler's stop", () => {
  test('runs once, after the last connection has closed, and close() waits for it', async () => {
    const log: string[] = [];
    const { server, connect } = await serve({
      handler: {
        start: (context) => context.signal.addEventListener('abort', () => log.push('signal')),
        close: () => void log.push('close'),
        async stop() {
          await new Promise((resolve) => setImmediate(resolve));
          log.push('stop');
        },
      },
    });
    const client = await connect();
    await until(() => server.stats().connections.open === 1);
    client.end();
    await server.close();
    expect(log).toEqual(['close', 'signal', 'stop']);
  });

  test('that fails is told by the error event, and everything has been let go of', async () => {
    const { server, port } = await serve({
      handler: {
        stop() {
          throw new Error('stop failed');
        },
      },
    });
    const failed = once(server, 'error');
    await server.close();
    expect(((await failed)[0] as Error).message).toBe('stop failed');
    expect(await refused(port)).toBe(true);
  });

  test('that fails makes close() fail where nobody listens, and everything has been let go of', async () => {
    const server = createServer({ handler: { stop: () => Promise.reject(new Error('stop failed')) } });
    await server.listen({ host: '127.0.0.1' });
    const port = portOf(server);
    expect((await failure(() => server.close())).message).toBe('stop failed');
    expect(await refused(port)).toBe(true);
  });

  test('that fails in a worker thread is told in the same way, with its code', async () => {
    const server = createServer({ handler: handlerModule('stop-fails.js'), workers: 1 });
    await server.listen({ host: '127.0.0.1' });
    const port = portOf(server);
    const error = await failure(() => server.close());
    expect(error).toMatchObject({ message: 'stop failed', code: 'ERR_OF_MINE', name: 'RangeError' });
    expect(await refused(port)).toBe(true);
  });
});
