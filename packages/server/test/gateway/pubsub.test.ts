import { GatewayProcess } from './gateway-process';
import { decodeReplies, encodeCommand, RespClient } from './resp-client';

let gateway: GatewayProcess;
let clients: RespClient[];

beforeAll(async () => {
  gateway = await GatewayProcess.start('--workers', '2', '--feed', 'synthetic:5000');
});

afterAll(async () => {
  expect((await gateway.stop()).code).toBe(0);
});

beforeEach(() => {
  clients = [];
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
});

async function connect(count = 1): Promise<RespClient[]> {
  const fresh = await Promise.all(Array.from({ length: count }, () => RespClient.connect(gateway.port)));
  clients.push(...fresh);
  return fresh;
}

test('subscribers get a message for each trade and quote', async () => {
  const [client] = await connect();
  // The reply to it is not the last that comes: ticks follow.
  client!.write(encodeCommand(['SUBSCRIBE', 'tick:BTCUSDT']));
  for (const kind of ['trade', 'quote']) {
    const received = await client!.until(`"kind":"${kind}"`);
    expect(received).toContain('$7\r\nmessage\r\n$12\r\ntick:BTCUSDT\r\n');
  }
});

test('PUBLISH on any worker reaches the subscribers of every worker', async () => {
  const subscribers = await connect(8);
  for (const [i, client] of subscribers.entries()) {
    await client.send('HELLO', i % 2 === 0 ? '2' : '3');
    await client.send(i < 4 ? 'SUBSCRIBE' : 'PSUBSCRIBE', i < 4 ? 'news' : 'n?w*');
  }
  const publishers = await connect(4);
  for (const [i, client] of publishers.entries()) expect(await client.call('PUBLISH', 'news', `no ${i}`)).toBe(8);
  for (const client of subscribers) {
    for (const i of publishers.keys()) await client.until(`$4\r\nno ${i}\r\n`);
  }
});

test('a connection that closes gives its subscriptions back', async () => {
  const [subscriber, other] = await connect(2);
  await subscriber!.send('SUBSCRIBE', 'mine');
  await subscriber!.send('PSUBSCRIBE', 'mine*');
  expect(await other!.call('PUBSUB', 'NUMSUB', 'mine')).toEqual(['mine', 1]);
  expect(await other!.call('PUBSUB', 'NUMPAT')).toBe(1);
  await subscriber!.close();
  while ((await other!.call('PUBSUB', 'NUMPAT')) !== 0);
  expect(await other!.call('PUBSUB', 'CHANNELS')).toEqual([]);
});

test('subscriptions are bounded', async () => {
  const [client] = await connect();
  const channels = Array.from({ length: 1025 }, (_, i) => `channel-${i}`);
  const replies = decodeReplies(await client!.send('SUBSCRIBE', ...channels));
  expect(replies).toHaveLength(1025);
  expect(replies[1023]).toEqual(['subscribe', 'channel-1023', 1024]);
  expect(String(replies[1024])).toMatch(/max number of subscriptions reached/);
  const [other] = await connect();
  expect(String(await other!.call('SUBSCRIBE', 'x'.repeat(2000)))).toMatch(/longer than 1024 bytes/);
});

test('a message too large to publish is refused', async () => {
  const [client, subscriber] = await connect(2);
  await subscriber!.send('SUBSCRIBE', 'large');
  expect(String(await client!.call('PUBLISH', 'large', 'x'.repeat(100_000)))).toMatch(/^Error: ERR /);
  expect(await client!.call('PUBLISH', 'large', 'x'.repeat(60_000))).toBe(1);
  await subscriber!.until('x'.repeat(60_000));
});

const FILLER = 'x'.repeat(50_000);
/** The numbers behind the fillers. */
const numbersIn = (received: string): number[] => [...received.matchAll(/#(\d+)\r\n/g)].map(([, n]) => Number(n));
const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

test('a subscriber that falls behind within the limit gets every message, in order', async () => {
  const [subscriber, publisher] = await connect(2);
  await subscriber!.send('SUBSCRIBE', 'flood');
  subscriber!.pause();
  for (let i = 0; i < 200; i++) expect(await publisher!.call('PUBLISH', 'flood', `${FILLER}#${i}`)).toBe(1);
  subscriber!.resume();
  expect(numbersIn(await subscriber!.until('#199\r\n'))).toEqual(upTo(200));
});

test('a subscriber that does not read is disconnected before it would miss a message', async () => {
  const [subscriber, publisher] = await connect(2);
  await subscriber!.send('SUBSCRIBE', 'flood');
  subscriber!.pause();
  let sent = 0;
  while ((await publisher!.call('PUBLISH', 'flood', `${FILLER}#${sent++}`)) === 1);
  subscriber!.resume();
  const received = numbersIn(await subscriber!.untilClosed());
  expect(received.length).toBeLessThan(sent);
  expect(received).toEqual(upTo(received.length));
});
