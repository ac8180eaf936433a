import { lengthPrefixed, lines, type Connection } from '@millrace/server';
import { oneConnection } from './support/one-connection';
import { serve } from './support/serve';
import { until } from './support/wait';

describe('pause and resume', () => {
  test('hazard 11: pause and resume: what came meanwhile is delivered, without another byte', async () => {
    const received: number[] = [];
    const { connection, client, server } = await oneConnection(
      { framing: lengthPrefixed() },
      {
        message(c: Connection, message: { u32(at: number): number }) {
          received.push(message.u32(0));
          if (received.length % 3 === 0) {
            c.pause();
            setImmediate(() => c.resume());
          }
        },
      },
    );
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(4);
    for (let i = 0; i < 3_000; i++) {
      frame.writeUInt32BE(i, 4);
      client.write(Buffer.from(frame));
      if (i % 500 === 499) await until(() => received.length === i + 1);
    }
    expect(received).toEqual(Array.from({ length: 3_000 }, (_, i) => i));
    // While paused for good, nothing is read; resuming is enough.
    connection.pause();
    const before = server.stats().bytes.read;
    client.write(frame);
    const other = server.stats().messages.received;
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([server.stats().bytes.read, server.stats().messages.received]).toEqual([before, other]);
    connection.resume();
    await until(() => received.length === 3_001);
  });

  test('a paused connection still notices that its peer is gone', async () => {
    const reasons: string[] = [];
    const { connection, client } = await oneConnection(
      {},
      { close: (_c: Connection, reason: string) => void reasons.push(reason) },
    );
    connection.pause();
    client.write('unread').reset();
    await until(() => reasons.length === 1);
    expect(reasons).toEqual(['reset']);
  });

  test('pauses of the application, of output and of async handlers do not lift each other', async () => {
    const log: string[] = [];
    let release!: () => void;
    const { connection, client } = await oneConnection(
      { framing: lines() },
      {
        message(_c: Connection, message: { utf8(): string }) {
          log.push(message.utf8());
          return log.length === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined;
        },
      },
    );
    client.write('one\n');
    await until(() => log.length === 1);
    connection.pause();
    client.write('two\n');
    release();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['one']);
    connection.resume();
    await until(() => log.length === 2);
  });

  test('Server.pause() leaves clients in the backlog, resume() takes them', async () => {
    const { server, connect } = await serve({ handler: { message: (c, m) => void c.write(m) } });
    server.pause();
    const client = await connect();
    client.write('hello');
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(server.stats().connections.accepted).toBeLessThanOrEqual(1);
    server.resume();
    expect((await client.read(5)).toString()).toBe('hello');
  });
});

test('hazard: a full inbox stops reading, and resumes unprompted', async () => {
  let handled = 0;
  const { server, connectMany } = await serve({
    framing: lines(),
    queues: { work: { capacity: 64 } },
    handler: { message: () => void handled++ },
  });
  const clients = await connectMany(20);
  const messages = 2_000;
  for (const client of clients) client.write('x\n'.repeat(messages));
  await until(() => handled === clients.length * messages);
  const { queues } = server.stats();
  expect(queues.work.capacity).toBe(64);
  expect(queues.work.highWater).toBeLessThanOrEqual(64);
});
