import { once } from 'node:events';
import { lines } from '@millrace/server';
import { serve } from './support/serve';
import { deferred, failure, until } from './support/wait';

describe('toDuplex()', () => {
  test('is for open, once, over raw framing', async () => {
    const codes: unknown[] = [];
    const { connect } = await serve({
      handler: {
        open(connection) {
          connection.toDuplex().end('bye');
          codes.push(failure(() => connection.toDuplex()));
        },
      },
    });
    await (await connect()).readAll();
    const late = await serve({
      handler: { message: (connection) => void codes.push(failure(() => connection.toDuplex())) },
    });
    (await late.connect()).write('x');
    const framed = await serve({
      framing: lines(),
      handler: { open: (connection) => void codes.push(failure(() => connection.toDuplex())) },
    });
    await framed.connect();
    await until(() => codes.length === 3);
    for (const error of (await Promise.all(codes)) as NodeJS.ErrnoException[]) {
      expect(error.code).toBe('ERR_CONNECTION_IN_USE');
    }
  });

  test("in an open that is async: what came meanwhile is the stream's", async () => {
    const received: string[] = [];
    const gate = deferred();
    const reasons: string[] = [];
    const { connect, server } = await serve({
      handler: {
        async open(connection) {
          const stream = connection.toDuplex();
          stream.on('data', (chunk: Buffer) => received.push(chunk.toString()));
          stream.on('end', () => stream.end(`got ${received.join('')}`));
          await gate.promise;
        },
        message: () => void received.push('message!'),
        error: () => void received.push('error!'),
        close: (_connection, reason) => void reasons.push(reason),
      },
    });
    const client = await connect();
    await until(() => server.stats().connections.open === 1);
    client.write('one');
    gate.resolve();
    client.write('two').end();
    expect((await client.readAll()).toString()).toBe('got onetwo');
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['peer']);
  });

  test('setTimeout emits timeout, which ends nothing by itself', async () => {
    const timeouts = deferred();
    const { connect } = await serve({
      handler: {
        open(connection) {
          const stream = connection.toDuplex();
          stream.setTimeout(20, () => {
            timeouts.resolve();
            stream.setTimeout(0);
            stream.end('still here');
          });
        },
      },
    });
    const client = await connect();
    await timeouts.promise;
    expect((await client.readAll()).toString()).toBe('still here');
  });

  test("destroy(error): error and close on the stream, the error to the handler's close", async () => {
    const log: unknown[] = [];
    const { connect } = await serve({
      handler: {
        open(connection) {
          const stream = connection.toDuplex();
          stream.on('error', (error) => log.push(`error ${error.message}`));
          stream.on('close', () => log.push('close'));
          stream.on('data', () => stream.destroy(new Error('enough')));
        },
        close: (_connection, reason) => void log.push(reason),
      },
    });
    const client = await connect();
    await client.write('x').readAll();
    await until(() => log.length === 3);
    expect(log.sort()).toEqual(['close', 'error enough', 'local']);
  });

  test("a drain listener that throws is that connection's error", async () => {
    const { server, connect } = await serve({
      connection: { highWaterBytes: 1_000 },
      handler: {
        open(connection) {
          const stream = connection.toDuplex();
          stream.on('drain', () => {
            throw new Error('on purpose');
          });
          stream.on('error', () => {});
          stream.write(Buffer.alloc(4 * 2 ** 20));
        },
      },
    });
    const reported = once(server, 'handlerError');
    const client = await connect();
    await client.readAll();
    expect(((await reported)[0] as Error).message).toBe('on purpose');
  });
});
