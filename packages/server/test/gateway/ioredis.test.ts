import Redis from 'ioredis';
import { GatewayProcess } from './gateway-process';

let gateway: GatewayProcess;
let redis: Redis;
let subscriber: Redis;

beforeAll(async () => {
  gateway = await GatewayProcess.start('--workers', '2', '--feed', 'synthetic:5000');
  redis = new Redis({ port: gateway.port, connectionName: 'main' });
  subscriber = new Redis({ port: gateway.port });
});

afterAll(async () => {
  await Promise.all([redis.quit(), subscriber.quit()]);
  expect((await gateway.stop()).code).toBe(0);
});

test('keys, counters, times to live', async () => {
  expect(await redis.set('key', 'värde', 'EX', 100)).toBe('OK');
  expect(await redis.get('key')).toBe('värde');
  expect(await redis.ttl('key')).toBeGreaterThan(50);
  expect(await redis.set('key', 'x', 'NX')).toBeNull();
  expect(await redis.incrby('n', 5)).toBe(5);
  expect(await redis.mget('key', 'nothing', 'n')).toEqual(['värde', null, '5']);
  expect(await redis.del('key', 'n')).toBe(2);
  expect(await redis.client('GETNAME')).toBe('main');
});

test('bytes', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set(bytes, bytes);
  expect((await redis.getBuffer(bytes))!.equals(bytes)).toBe(true);
});

test('a pipeline of commands and errors comes back in order', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 500; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`);
  pipeline.call('NONSENSE', 'a');
  const results = (await pipeline.exec())!;
  for (let i = 0; i < 500; i++) expect(results[2 * i + 1]).toEqual([null, String(i)]);
  expect(String(results[1000]![0])).toMatch(/unknown command 'NONSENSE', with args beginning with: 'a'/);
});

test('a scan stream finds every key', async () => {
  const found = new Set<string>();
  const stream = redis.scanStream({ match: 'p:*', count: 50 });
  for await (const keys of stream as AsyncIterable<string[]>) for (const key of keys) found.add(key);
  expect(found.size).toBe(500);
});

test('messages reach a subscriber, by name and by pattern', async () => {
  await subscriber.subscribe('news');
  await subscriber.psubscribe('n*s');
  const received = new Promise<string[]>((resolve) => {
    const seen: string[] = [];
    const add = (text: string): void => {
      if (seen.push(text) === 2) resolve(seen);
    };
    subscriber.on('message', (channel, text) => add(`${channel} ${text}`));
    subscriber.on('pmessage', (pattern, channel, text) => add(`${pattern} ${channel} ${text}`));
  });
  expect(await redis.publish('news', 'hello')).toBe(2);
  expect((await received).sort()).toEqual(['n*s news hello', 'news hello']);
  await subscriber.unsubscribe('news');
  await subscriber.punsubscribe('n*s');
  expect(await redis.publish('news', 'nobody')).toBe(0);
});

test('the ticks of the feed', async () => {
  await subscriber.subscribe('tick:BTCUSDT');
  const [, text] = await new Promise<[string, string]>((resolve) => {
    subscriber.once('message', (channel, message) => resolve([channel, message]));
  });
  expect(JSON.parse(text)).toMatchObject({ symbol: 'BTCUSDT', kind: expect.stringMatching(/^(trade|quote)$/) });
  await subscriber.unsubscribe('tick:BTCUSDT');
});
