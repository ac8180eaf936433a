import { withConnections } from './support/connections';
import { serve } from './support/serve';
import { failure, until } from './support/wait';

describe('the end', () => {
  test('end() sends what was written, and its payload, then ends our side', async () => {
    const { take, closes } = await withConnections();
    const { connection, client } = await take();
    connection.write('a');
    connection.end('b');
    expect((await client.readAll()).toString()).toBe('ab');
    expect(connection.closed).toBe(false);
    client.end();
    await until(() => closes.length === 1);
    expect(closes).toEqual([['local', undefined]]);
    expect(connection.closed).toBe(true);
    expect(connection.signal.aborted).toBe(true);
  });

  test("after one's own end() writing throws, until it has closed", async () => {
    const { take, closes } = await withConnections();
    const { connection, client } = await take();
    connection.end();
    connection.end('ignored');
    for (const call of ['write', 'send'] as const) {
      expect((await failure(() => connection[call]('x'))).code).toBe('ERR_CONNECTION_ENDED');
    }
    expect((await client.readAll()).length).toBe(0);
    client.end();
    await until(() => closes.length === 1);
    expect(connection.write('x')).toBe(false);
    expect(connection.send('x')).toBe(false);
    connection.end();
    connection.destroy();
    connection.pause();
    connection.resume();
    connection.setIdleTimeout(5);
    connection.subscribe('topic');
    connection.unsubscribe('topic');
    expect(connection.bufferedBytes).toBe(0);
  });

  test('when the peer has ended, or the server ends it, writing answers false and throws nothing', async () => {
    for (const ending of ['peer', 'server'] as const) {
      const { take, closes, server } = await withConnections();
      const { connection, client } = await take();
      const outcomes: unknown[] = [];
      // Whoever writes at any moment, as a chat does to all of its members.
      const writing = setInterval(() => {
        try {
          outcomes.push(connection.write('x'));
        } catch (error) {
          outcomes.push(error);
        }
      });
      const closed = ending === 'server' && server.close({ drainMs: 1_000 });
      if (ending === 'peer') client.end();
      await until(() => outcomes.includes(false));
      client.end();
      await until(() => closes.length === 1);
      clearInterval(writing);
      await closed;
      expect(outcomes.filter((outcome) => typeof outcome !== 'boolean')).toEqual([]);
    }
  });

  test('destroy() closes at once: what was not sent is lost', async () => {
    const { take, closes } = await withConnections();
    const { connection, client } = await take();
    client.stopReading();
    while (connection.bufferedBytes < 4 * 2 ** 20) {
      connection.write(Buffer.alloc(2 ** 20));
      await new Promise((resolve) => setImmediate(resolve));
    }
    connection.destroy();
    expect(connection.write('x')).toBe(false);
    await until(() => closes.length === 1);
    expect(closes).toEqual([['local', undefined]]);
    client.readOn();
    expect((await client.readAll()).length).toBeLessThan(8 * 2 ** 20);
  });

  test('destroy(error) hands the error to close', async () => {
    const { take, closes } = await withConnections();
    const { connection, client } = await take();
    const error = new Error('enough');
    connection.destroy(error);
    await client.readAll();
    await until(() => closes.length === 1);
    expect(closes[0]).toEqual(['error', error]);
  });

  test('end() and destroy() in open, before anything else', async () => {
    for (const how of ['end', 'destroy'] as const) {
      const reasons: string[] = [];
      const { connect } = await serve({
        handler: {
          open: (connection) => connection[how](),
          message: () => void reasons.push('message'),
          close: (_connection, reason) => void reasons.push(reason),
        },
      });
      const client = await connect();
      client.write('x').end();
      await client.readAll();
      await until(() => reasons.length > 0);
      expect(reasons).toEqual(['local']);
    }
  });
});
