import { lengthPrefixed, type Connection, type Message } from '@millrace/server';
import { oneConnection } from './support/one-connection';
import { serve } from './support/serve';
import { until } from './support/wait';

describe('the high-water mark', () => {
  test('write answers false above it, accepts all the same, and one drain follows', async () => {
    const drains: number[] = [];
    const { connection, client } = await oneConnection(
      { connection: { highWaterBytes: 10_000, lowWaterBytes: 2_000, maxWriteBytes: 0 } },
      { drain: (c: Connection) => void drains.push(c.bufferedBytes) },
    );
    client.stopReading();
    const chunk = Buffer.alloc(1_000, 'x');
    const total = 20_000;
    const answers: boolean[] = [];
    for (let i = 0; i < total; i++) answers.push(connection.write(chunk));
    // What had not gone to the system counts, from the first byte above the mark on.
    expect(answers.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => true));
    expect(answers[10]).toBe(false);
    expect(connection.bufferedBytes).toBeGreaterThan(10_000);
    client.readOn();
    expect((await client.read(total * 1_000)).equals(Buffer.alloc(total * 1_000, 'x'))).toBe(true);
    await until(() => drains.length === 1);
    expect(drains[0]).toBeLessThanOrEqual(2_000);
    await until(() => connection.bufferedBytes === 0);
    expect(drains.length).toBe(1);
    // And again.
    expect(connection.write(Buffer.alloc(50_000))).toBe(false);
    await client.read(50_000);
    await until(() => drains.length === 2);
  });

  test('drain comes also when all went to the system at once', async () => {
    let drains = 0;
    const { connection, client } = await oneConnection(
      { connection: { highWaterBytes: 1_000 } },
      { drain: () => void drains++ },
    );
    for (let round = 1; round <= 200; round++) {
      expect(connection.write(Buffer.alloc(1_001))).toBe(false);
      expect(connection.write('more')).toBe(false);
      await client.read(1_005);
      await until(() => drains === round);
      await until(() => connection.bufferedBytes === 0);
    }
  });

  test('no drain comes after close', async () => {
    const log: string[] = [];
    const { connection, client } = await oneConnection(
      { connection: { highWaterBytes: 1_000 } },
      { drain: () => void log.push('drain'), close: () => void log.push('close') },
    );
    client.stopReading();
    while (connection.bufferedBytes < 2 ** 20) {
      connection.write(Buffer.alloc(2 ** 18));
      await new Promise((resolve) => setImmediate(resolve));
    }
    log.length = 0;
    client.reset();
    await until(() => log.length > 0);
    expect(log).toEqual(['close']);
  });

  test("above it the peer's own requests are not read, and they are when it has drained", async () => {
    let messages = 0;
    const bytes = 4_096;
    const { client, server } = await oneConnection(
      { framing: lengthPrefixed(), connection: { highWaterBytes: 10_000 } },
      {
        message(c: Connection, message: Message) {
          messages++;
          c.send(message);
          c.send(message);
        },
      },
    );
    client.stopReading();
    const requests = 4_000;
    const frame = Buffer.alloc(bytes + 4);
    frame.writeUInt32BE(bytes);
    for (let i = 0; i < requests; i++) client.write(frame);
    let before = -1;
    await until(() => {
      const now = messages;
      const still = now === before && now > 0 && server.stats().queues.receive.depth === 0;
      before = now;
      return still && server.stats().messages.inFlight === 0;
    });
    expect(before).toBeLessThan(requests);
    expect(server.stats().memory.usedBytes).toBeLessThan(2 * 2 ** 20);
    client.readOn();
    await client.read(2 * requests * frame.length);
    expect(messages).toBe(requests);
  });

  test('past maxWriteBytes it closes, slow-consumer', async () => {
    const reasons: string[] = [];
    const { connection, client, server } = await oneConnection(
      { connection: { maxWriteBytes: 1_000_000 } },
      { close: (_c: Connection, reason: string) => void reasons.push(reason) },
    );
    client.stopReading();
    while (reasons.length === 0) {
      connection.write(Buffer.alloc(100_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(reasons).toEqual(['slow-consumer']);
    expect(connection.write('x')).toBe(false);
    expect(server.stats().connections.closed['slow-consumer']).toBe(1);
    await until(() => server.stats().memory.usedBytes < 2 * 2 ** 20);
  });
});

describe('bufferedBytes', () => {
  test('is what the peer has not taken, as connections() says too', async () => {
    const { connection, client, server } = await oneConnection({ connection: { maxWriteBytes: 0 } });
    expect(connection.bufferedBytes).toBe(0);
    client.stopReading();
    const total = 32 * 2 ** 20;
    connection.write(Buffer.alloc(total));
    expect(connection.bufferedBytes).toBeGreaterThan(0);
    await until(() => server.connections()[0]!.bufferedBytes === connection.bufferedBytes);
    const { bytesWritten, bufferedBytes } = server.connections()[0]!;
    expect(bytesWritten + bufferedBytes).toBe(total);
    client.readOn();
    await client.read(total);
    await until(() => connection.bufferedBytes === 0);
  });

  test('belongs to a connection, not to its descriptor', async () => {
    const { server, connect } = await serve({
      handler: { message: (c) => void c.write(Buffer.alloc(500_000)), drain: (c) => void c.destroy() },
    });
    const seen: [number, number][] = [];
    for (let round = 0; round < 30; round++) {
      const client = await connect();
      await until(() => server.connections().length === 1);
      seen.push([server.connections()[0]!.fd, server.connections()[0]!.bufferedBytes]);
      client.write('x');
      await client.read(1);
      client.reset();
      await until(() => server.stats().connections.open === 0);
    }
    expect(new Set(seen.map(([fd]) => fd)).size).toBeLessThan(30);
    expect(seen.every(([, buffered]) => buffered === 0)).toBe(true);
  });
});
