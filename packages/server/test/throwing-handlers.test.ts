import { once } from 'node:events';
import { lines, type CloseReason } from '@millrace/server';
import { handlerModule, serve } from './support/serve';
import { until } from './support/wait';

describe('a handler that throws', () => {
  const bad = (kind: string): unknown => {
    if (kind === 'sync') throw new Error('on purpose');
    if (kind === 'async') return Promise.reject(new Error('on purpose'));
    if (kind === 'no error') throw 'a string'; // eslint-disable-line @typescript-eslint/only-throw-error
    return undefined;
  };

  test.each(['sync', 'async', 'no error'])(
    "%s: is reported with the connection's id, that connection closes, the batch's other messages are handled",
    async (kind) => {
      const log: [string, number][] = [];
      const closes: [number, CloseReason, string | undefined][] = [];
      const errors: [number, string][] = [];
      const { server, connectMany } = await serve({
        framing: lines(),
        handler: {
          message(connection, message) {
            const text = message.utf8();
            log.push([text, connection.remotePort!]);
            connection.send(message);
            if (text === 'bad') return bad(kind) as undefined;
          },
          error: (connection, error) => {
            errors.push([connection.remotePort!, error.message]);
            connection.send('told');
          },
          close: (connection, reason, error) => void closes.push([connection.remotePort!, reason, error?.message]),
        },
      });
      const clients = await connectMany(3);
      const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
      const reported = once(server, 'handlerError');
      for (const client of clients) client.write(client === b ? 'good\nbad\nafter\n' : 'good\ngood\n');
      const [error, info] = (await reported) as [NodeJS.ErrnoException, { id: string; remotePort: number }];
      const message = kind === 'no error' ? "A handler threw 'a string', which is no Error" : 'on purpose';
      expect(error.message).toBe(message);
      if (kind === 'no error') expect(error).toMatchObject({ code: 'ERR_SERVER_WORKER', cause: 'a string' });
      expect(info.remotePort).toBe(b.port);
      expect(info.id).toMatch(/^\d+:\d+$/);
      expect((await b.readAll()).toString()).toBe('good\nbad\ntold\n');
      b.end();
      for (const client of [a, c]) {
        expect(await client.readLines(2)).toEqual(['good', 'good']);
        expect(await client.write('later\n').readLine()).toBe('later');
      }
      await until(() => closes.length === 1);
      expect(closes).toEqual([[b.port, 'error', message]]);
      expect(errors).toEqual([[b.port, message]]);
      expect(log.some(([text]) => text === 'after')).toBe(false);
      const { messages } = server.stats();
      expect(messages).toMatchObject({ received: 9, handled: 7, failed: 1, inFlight: 0 });
    },
  );

  test.each(['data', 'open', 'drain', 'close', 'error'] as const)('in %s', async (member) => {
    const closes: CloseReason[] = [];
    const { server, connect } = await serve({
      connection: { highWaterBytes: 1_000 },
      framing: lines(),
      handler: {
        message(connection) {
          if (member === 'error') throw new Error('first');
          connection.write(Buffer.alloc(2_000));
        },
        close: (_connection, reason) => void closes.push(reason),
        [member](_connection: unknown, reason: CloseReason) {
          if (member === 'close') closes.push(reason);
          throw new Error(`in ${member}`);
        },
      },
    });
    const reports: string[] = [];
    server.on('handlerError', (error) => reports.push(error.message));
    const client = await connect();
    client.write('x\n');
    if (member === 'close') client.end();
    await client.readAll();
    client.end();
    await until(() => closes.length === 1);
    await until(() => reports.includes(`in ${member}`));
    expect(closes).toEqual([member === 'close' ? 'peer' : 'error']);
    // Others go on.
    if (member === 'drain') expect(reports).toEqual(['in drain']);
    expect(server.stats().connections.open).toBe(0);
  });

  test('whose report has nobody to listen to', async () => {
    const { connect } = await serve({
      handler: {
        message() {
          throw new Error('on purpose');
        },
      },
    });
    const client = await connect();
    await client.write('x').readAll();
  });

  test("in a worker thread: the report has the error's message, code, stack and cause", async () => {
    const { server, connect } = await serve({ framing: lines(), handler: handlerModule('throws.js'), workers: 1 });
    const client = await connect();
    const reported = once(server, 'handlerError');
    client.write('bad\n');
    const [error, info] = (await reported) as [NodeJS.ErrnoException & { detail: unknown }, { remotePort: number }];
    expect(error).toMatchObject({ message: 'bad', name: 'TypeError', code: 'ERR_OF_MINE', detail: 5 });
    expect(error).toBeInstanceOf(Error);
    expect(error.stack).toContain('throws.js');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ERR_CAUSE');
    expect(info.remotePort).toBe(client.port);
    await client.readAll();
  });

  test('over and over in worker threads: reports are bounded, and none is lost in the figures', async () => {
    const { server, connectMany } = await serve({ framing: lines(), handler: handlerModule('throws.js'), workers: 2 });
    let reports = 0;
    server.on('handlerError', () => reports++);
    for (let round = 0; round < 20; round++) {
      const clients = await connectMany(20);
      await Promise.all(clients.map((client) => client.write('bad\n').readAll()));
      clients.forEach((client) => client.end());
    }
    await until(() => server.stats().connections.closed.error === 400);
    await until(() => reports === 400);
    expect(server.stats().messages).toMatchObject({ received: 400, failed: 400, handled: 0, inFlight: 0 });
  });

  test("a listener of handlerError that throws is the process's matter, not the batch's", async () => {
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        message(connection, message) {
          if (message.utf8() === 'bad') throw new Error('on purpose');
          connection.send(message);
        },
      },
    });
    const client = await connect();
    const bad = await connect();
    await until(() => server.stats().connections.open === 2);
    const caught: string[] = [];
    // jest keeps the process's own listeners: what is thrown in a tick is seen there.
    const tick = jest.spyOn(process, 'nextTick').mockImplementation(((run: () => void) =>
      queueMicrotask(() => {
        try {
          run();
        } catch (error) {
          caught.push((error as Error).message);
        }
      })) as typeof process.nextTick);
    server.on('handlerError', () => {
      throw new Error('a listener failed');
    });
    bad.write('bad\n');
    await until(() => server.stats().messages.failed === 1);
    tick.mockRestore();
    expect(await client.write('one\ntwo\n').readLines(2)).toEqual(['one', 'two']);
    expect(caught).toEqual(['a listener failed']);
  });
});
