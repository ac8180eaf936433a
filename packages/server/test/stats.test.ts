import { lines, type ServerStats } from '@millrace/server';
import { handlerModule, make, serve } from './support/serve';
import { until } from './support/wait';

const zero = (counts: Readonly<Record<string, number>>): boolean => Object.values(counts).every((n) => n === 0);

describe('stats()', () => {
  test('before listen and after close: the same shape; before, all zero; after, what was last', async () => {
    const server = make({ framing: lines(), handler: {} });
    const before = server.stats();
    expect(before).toMatchObject({
      topology: 'staged',
      connections: { open: 0, accepted: 0 },
      bytes: { read: 0, written: 0 },
      messages: { received: 0, handled: 0, failed: 0, inFlight: 0 },
      published: { offered: 0, delivered: 0, conflated: 0, inFlight: 0 },
      readPausedMs: 0,
      workers: [{ workerIndex: 0, state: 'idle', runningMs: 0, handled: 0, replaced: 0 }],
      memory: { usedBytes: 0 },
    });
    expect(zero(before.connections.closed) && zero(before.connections.rejected)).toBe(true);
    expect(Object.keys(before.connections.closed).sort()).toEqual(
      [
        'peer',
        'reset',
        'idle',
        'first-byte',
        'lifetime',
        'protocol',
        'overload',
        'slow-consumer',
        'stuck',
        'error',
        'server',
        'local', // prettier-ignore
      ].sort(),
    );
    await server.listen({ host: '127.0.0.1' });
    await server.close();
    const after = server.stats();
    expect(Object.keys(after)).toEqual(Object.keys(before));
    expect(server.stats()).toBe(after);
  });

  test('counts bytes and messages as they are', async () => {
    const { server, connect } = await serve({
      framing: lines(),
      handler: { message: (connection, message) => void connection.send(message) },
    });
    const client = await connect();
    await client.write('four\nsix six\n').readLines(2);
    await until(() => server.stats().bytes.written === 13);
    const { bytes, messages, connections, workers, queues } = server.stats();
    expect(bytes).toEqual({ read: 13, written: 13 });
    expect(messages).toMatchObject({ received: 2, handled: 2, failed: 0, inFlight: 0 });
    expect(connections).toMatchObject({ open: 1, accepted: 1 });
    expect(workers[0]).toMatchObject({ handled: 2 });
    for (const queue of Object.values(queues)) {
      expect(queue.depth).toBeLessThanOrEqual(queue.highWater);
      expect(queue.highWater).toBeLessThanOrEqual(queue.capacity);
      expect(queue.passed).toBeGreaterThan(0);
    }
  });

  test("readPausedMs grows while a connection is not read for its handler's sake", async () => {
    const running: (() => void)[] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: { message: () => new Promise<void>((resolve) => void running.push(resolve)) },
    });
    const client = await connect();
    const endOne = async (): Promise<void> => {
      await until(() => running.length === 1);
      running.pop()!();
    };
    // The receiver has been asked to read the second line, but it may not have looked yet when the first one ends: then
    // nothing was paused.
    for (let sent = 2; server.stats().readPausedMs === 0; sent += 2) {
      client.write('one\n');
      await until(() => running.length === 1);
      const { passed } = server.stats().queues.receive;
      client.write('two\n');
      await until(() => server.stats().queues.receive.passed > passed);
      await endOne();
      await endOne();
      await until(() => server.stats().messages.handled === sent);
    }
  });

  test('hazard 22: conservation: every look at a busy server balances', async () => {
    const { server, connectMany } = await serve({
      framing: lines(),
      workers: 2,
      handler: handlerModule('chat.js'),
      connection: { slowConsumer: 'drop-oldest', highWaterBytes: 10_000, maxWriteBytes: 100_000 },
    });
    const clients = await connectMany(12);
    for (const client of clients) await client.write('subscribe room\n').readLine();
    // Half of them never read again.
    clients.forEach((client, i) => i % 2 === 0 && client.stopReading());
    let looks = 0;
    let inFlightSeen = 0;
    let waitingSeen = 0;
    const look = (): void => {
      const { messages, published }: ServerStats = server.stats();
      const sum = (counts: Readonly<Record<string, number>>): number =>
        Object.values(counts).reduce((a, b) => a + b, 0);
      const { received, handled, failed, dropped, inFlight } = messages;
      expect({ received }).toEqual({ received: handled + failed + sum(dropped) + inFlight });
      if (inFlight > 0) inFlightSeen++;
      looks++;
      const { offered, delivered, conflated } = published;
      expect({ offered }).toEqual({ offered: delivered + conflated + sum(published.dropped) + published.inFlight });
      if (published.inFlight > 0) waitingSeen++;
    };
    for (let round = 0; round < 200; round++) {
      for (const client of clients) client.write(`publish room ${'x'.repeat(500)}\n`.repeat(5));
      look();
      await new Promise((resolve) => setImmediate(resolve));
      look();
    }
    await until(() => {
      look();
      return server.stats().messages.handled >= 6 * 1_000;
    });
    for (const client of clients.slice(0, 4)) client.reset();
    for (let turn = 0; turn < 200; turn++) {
      look();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(looks).toBeGreaterThan(600);
    expect(inFlightSeen).toBeGreaterThan(0);
    expect(waitingSeen).toBeGreaterThan(0);
    expect(server.stats().published.dropped.oldest).toBeGreaterThan(0);
  });
});
