import { lengthPrefixed, type ServerOptions, type Server } from '@millrace/server';
import type { Client } from './support/client';
import { serve } from './support/serve';
import { until } from './support/wait';

type Slow = NonNullable<NonNullable<ServerOptions['connection']>['slowConsumer']>;

const HIGH_WATER = 64 * 1024;

async function withStalled(
  slowConsumer: Slow,
  maxWriteBytes = 1_000_000,
): Promise<{
  server: Server;
  stalled: Client;
  quick: Client;
  reasons: string[];
}> {
  const reasons: string[] = [];
  const { server, connect } = await serve({
    framing: lengthPrefixed(),
    connection: { slowConsumer, highWaterBytes: HIGH_WATER, maxWriteBytes },
    handler: {
      open(connection) {
        connection.subscribe('all');
        connection.send('ready');
      },
      message: (connection, message) => void connection.send(message),
      close: (_connection, reason) => void reasons.push(reason),
    },
  });
  const [stalled, quick] = [await connect(), await connect()];
  for (const client of [stalled, quick]) await client.read(9);
  stalled.stopReading();
  return { server, stalled, quick, reasons };
}

/** Messages of a kilobyte: number and key in front. */
function message(number: number, key: number): Buffer {
  const bytes = Buffer.alloc(1_000);
  bytes.writeUInt32BE(number);
  bytes.writeUInt32BE(key, 4);
  return bytes;
}

/** Publishes until what the system takes for the stalled client is full and much more waits. */
async function publishMany(server: Server, quick: Client, count: number, keys: number): Promise<void> {
  for (let i = 0; i < count; i += 200) {
    for (let j = i; j < i + 200; j++) server.publish('all', message(j, j % keys), { key: j % keys });
    await quick.read(200 * 1_004);
  }
}

async function readAll(client: Client, last: number): Promise<number[]> {
  client.readOn();
  const numbers: number[] = [];
  while (numbers.at(-1) !== last) {
    const frame = await client.read(1_004);
    if (frame.length < 1_004) break;
    numbers.push(frame.readUInt32BE(4));
  }
  return numbers;
}

const holds = ({
  offered,
  delivered,
  conflated,
  dropped,
  inFlight,
}: ReturnType<Server['stats']>['published']): boolean =>
  offered === delivered + conflated + inFlight + Object.values(dropped).reduce((sum, n) => sum + n, 0);

const COUNT = 20_000;

test('pause: everything is kept up to maxWriteBytes, then it closes as a slow consumer; others get all', async () => {
  const { server, quick, stalled, reasons } = await withStalled('pause');
  await publishMany(server, quick, COUNT, 1);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual(['slow-consumer']);
  stalled.readOn();
  await stalled.readAll();
  const { published } = server.stats();
  expect(published.offered).toBeGreaterThan(COUNT);
  expect(holds(published)).toBe(true);
  expect(published.dropped['slow-consumer']).toBeGreaterThan(0);
});

test('pause, without a limit: nothing is lost', async () => {
  const { server, quick, stalled } = await withStalled('pause', 0);
  await publishMany(server, quick, COUNT, 1);
  expect(await readAll(stalled, COUNT - 1)).toEqual(Array.from({ length: COUNT }, (_, i) => i));
  expect(server.stats().published).toMatchObject({ offered: 2 * COUNT, delivered: 2 * COUNT, inFlight: 0 });
});

test('disconnect: it closes as soon as it is slow', async () => {
  const { server, quick, reasons } = await withStalled('disconnect');
  await publishMany(server, quick, COUNT, 1);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual(['slow-consumer']);
  expect(holds(server.stats().published)).toBe(true);
});

test('drop-oldest: it gets the first, which the system had taken, and the newest, in order; the rest is counted', async () => {
  const { server, quick, stalled, reasons } = await withStalled('drop-oldest');
  await publishMany(server, quick, COUNT, 1);
  const before = server.stats().published;
  expect(holds(before)).toBe(true);
  expect(before.inFlight).toBeGreaterThan(0);
  const numbers = await readAll(stalled, COUNT - 1);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  await until(() => server.stats().published.inFlight === 0);
  const { published } = server.stats();
  expect(published.dropped.oldest).toBe(COUNT - numbers.length);
  expect(published.delivered).toBe(COUNT + numbers.length);
  expect(reasons).toEqual([]);
  // What waits is bounded, and the newest: a whole limit's worth without a gap at the end.
  const tail = numbers.slice(-500);
  expect(tail).toEqual(Array.from({ length: 500 }, (_, i) => COUNT - 500 + i));
});

test('conflate: it gets the newest of each key, and memory is bounded by the keys', async () => {
  const keys = 100;
  const { server, quick, stalled, reasons } = await withStalled('conflate');
  const used = server.stats().memory.usedBytes;
  await publishMany(server, quick, COUNT, keys);
  expect(server.stats().published.inFlight).toBeLessThanOrEqual(keys);
  expect(server.stats().memory.usedBytes).toBeLessThan(used + 2 * 2 ** 20);
  const numbers: number[] = [];
  const newest = new Map<number, number>();
  stalled.readOn();
  while (newest.size < keys || [...newest.values()].some((number) => number < COUNT - keys)) {
    const frame = await stalled.read(1_004);
    const number = frame.readUInt32BE(4);
    numbers.push(number);
    const key = frame.readUInt32BE(8);
    expect(number % keys).toBe(key);
    expect(number).toBeGreaterThan(newest.get(key) ?? -1);
    newest.set(key, number);
  }
  await until(() => server.stats().published.inFlight === 0);
  const { published } = server.stats();
  expect(published.conflated).toBe(COUNT - numbers.length);
  expect(holds(published)).toBe(true);
  expect(reasons).toEqual([]);
});

test('conflate: keys may be strings, numbers and bigints; the topic is the default', async () => {
  const { server, quick, stalled } = await withStalled('conflate');
  // Until it is behind.
  await publishMany(server, quick, 10_000, 1);
  const mark = server.stats().published.conflated;
  const each: (string | number | bigint | undefined)[] = ['a', 'b', 2 ** 53 - 1, 1n << 63n, undefined];
  for (let round = 0; round < 10; round++) {
    for (const key of each) server.publish('all', `${String(key)} ${round}`, key === undefined ? {} : { key });
  }
  const bytes = each.reduce<number>((sum, key) => sum + 4 + String(key).length + 2, 0) * 10;
  await quick.read(bytes);
  expect(server.stats().published.conflated - mark).toBe(each.length * 9);
  stalled.readOn();
  const seen: string[] = [];
  while (seen.length < each.length) {
    const size = (await stalled.read(4)).readUInt32BE();
    const payload = await stalled.read(size);
    if (size < 1_000) seen.push(payload.toString());
  }
  expect(seen.sort()).toEqual(each.map((key) => `${String(key)} 9`).sort());
});

test('replies are never dropped, whatever the policy', async () => {
  for (const policy of ['drop-oldest', 'conflate'] as const) {
    const { server, quick, stalled } = await withStalled(policy);
    await publishMany(server, quick, 5_000, 1);
    const requests = 20;
    for (let i = 0; i < requests; i++) {
      const frame = Buffer.alloc(12);
      frame.writeUInt32BE(8);
      frame.writeUInt32BE(0xffff_ff00 + i, 4);
      stalled.write(frame);
    }
    stalled.readOn();
    const replies: number[] = [];
    while (replies.length < requests) {
      const size = (await stalled.read(4)).readUInt32BE();
      const payload = await stalled.read(size);
      if (size === 8) replies.push(payload.readUInt32BE() - 0xffff_ff00);
    }
    expect(replies).toEqual(Array.from({ length: requests }, (_, i) => i));
  }
});

test('a dead subscriber holds nobody up: the others get everything while it stalls', async () => {
  const { server, quick } = await withStalled('drop-oldest');
  for (let round = 0; round < 20; round++) await publishMany(server, quick, 1_000, 1);
  expect(server.stats().published.offered).toBe(2 * 20_000);
});
