import { BINARY_SCRIPT } from './binary-script';
import { SCRIPT } from './command-script';
import { GatewayProcess } from './gateway-process';
import { randomCommand } from './random-commands';
import { RedisProcess, redisIsInstalled } from './redis-process';
import { decodeReplies, RespClient, type Value } from './resp-client';
import { withSeed } from './seed';

/** A hash table's order is its own. */
const UNORDERED = new Set(['KEYS', 'SCAN', 'PUBSUB']);
const CLOCK = new Set(['TTL', 'PTTL']);
/** How far two clocks may be apart: commands do not reach both at one moment. */
const CLOCK_SLACK_MS = 60_000;
const RANDOM_COMMANDS = 3000;

const describeWithRedis = redisIsInstalled ? describe : describe.skip;

describeWithRedis('beside Redis 7, replies are the same byte for byte', () => {
  let redis: RedisProcess;
  let gateway: GatewayProcess;
  let theirs: RespClient;
  let ours: RespClient;

  beforeAll(async () => {
    [redis, gateway] = await Promise.all([RedisProcess.start(), GatewayProcess.start('--workers', '2')]);
  });

  afterAll(async () => {
    await Promise.all([redis.stop(), gateway.stop()]);
  });

  beforeEach(async () => {
    [theirs, ours] = await Promise.all([RespClient.connect(redis.port), RespClient.connect(gateway.port)]);
    await Promise.all([theirs.send('FLUSHALL'), ours.send('FLUSHALL')]);
  });

  afterEach(async () => {
    await Promise.all([theirs.close(), ours.close()]);
  });

  async function compare(words: readonly string[]): Promise<void> {
    const [expected, actual] = await Promise.all([theirs.send(...words), ours.send(...words)]);
    if (actual === expected || agree(words, actual, expected)) return;
    expect({ words, reply: actual }).toEqual({ words, reply: expected });
  }

  async function speak(protocol: '2' | '3'): Promise<void> {
    await Promise.all([theirs.send('HELLO', protocol), ours.send('HELLO', protocol)]);
  }

  test.each(['2', '3'] as const)('a script of every command and its errors, in RESP%s', async (protocol) => {
    await speak(protocol);
    for (const words of SCRIPT) await compare(words);
  });

  test.each(['2', '3'] as const)('words of any bytes, in RESP%s', async (protocol) => {
    await speak(protocol);
    for (const words of BINARY_SCRIPT) await compare(words);
  });

  test.each(['2', '3'] as const)('random commands, in RESP%s', async (protocol) => {
    await speak(protocol);
    await withSeed(async (random) => {
      for (let i = 0; i < RANDOM_COMMANDS; i++) await compare(randomCommand(random));
    });
  });

  test.each([
    ['inline commands', 'PING\r\nSET k "a b"\r\nGET k\r\nSET k \'x\\\'y\'\nGET k\nECHO "\\x41\\n"\r\n\r\n'],
    ['empty commands', '*0\r\n*-1\r\n\r\nPING\r\n*0\r\n'],
    ['many commands in one write', '*1\r\n$4\r\nPING\r\n'.repeat(1000)],
  ])('%s', async (_name, bytes) => {
    const [expected, actual] = await Promise.all([theirs, ours].map((client) => client.exchange(Buffer.from(bytes))));
    expect(actual).toBe(expected);
  });

  test.each([
    ['a word that is no bulk string', '*1\r\n+PING\r\n'],
    ['an array length that is no number', '*a\r\n'],
    ['an array length beyond all bounds', '*2147483648\r\n'],
    ['a negative bulk length', '*1\r\n$-1\r\n'],
    ['a bulk length that is no number', '*1\r\n$abc\r\n'],
    ['a bulk length beyond all bounds', '*1\r\n$536870913\r\n'],
    ['quotes that do not end', "PING 'abc\r\n"],
    ['quotes that end within a word', 'PING "abc"d\r\n'],
    ['an inline command without end', 'x'.repeat(70_000)],
  ])('a protocol error is answered, and the connection closed: %s', async (_name, bytes) => {
    for (const client of [theirs, ours]) client.write(Buffer.from(bytes));
    const [expected, actual] = await Promise.all([theirs.untilClosed(), ours.untilClosed()]);
    expect(actual).toBe(expected);
  });

  test('QUIT closes the connection after its reply, whatever follows', async () => {
    for (const client of [theirs, ours]) client.write(Buffer.from('PING\r\nQUIT\r\nPING\r\n'));
    const [expected, actual] = await Promise.all([theirs.untilClosed(), ours.untilClosed()]);
    expect(actual).toBe(expected);
  });

  test.each([
    ['2', '2'],
    ['3', '3'],
    ['2', '3'],
  ] as const)('messages of channels and patterns, subscriber in RESP%s, publisher in RESP%s', async (one, other) => {
    const [their, our] = await Promise.all([RespClient.connect(redis.port), RespClient.connect(gateway.port)]);
    await Promise.all([their.send('HELLO', one), our.send('HELLO', one)]);
    await speak(other);
    await Promise.all([their, our].map((client) => client.send('SUBSCRIBE', 'news', 'a*b', 'p%q')));
    await Promise.all([their, our].map((client) => client.send('PSUBSCRIBE', 'n?ws', 'a\\*b')));
    for (const words of [
      ['PUBLISH', 'news', 'hello'],
      ['PUBLISH', 'a*b', '\x00\r\n\xff'],
      ['PUBLISH', 'axb', 'nobody'],
      ['PUBLISH', 'p%q', ''],
      ['PUBSUB', 'NUMSUB', 'news', 'a*b', 'axb'],
      ['PUBSUB', 'NUMPAT'],
      ['PUBSUB', 'CHANNELS'],
      ['PUBLISH', 'news', 'end'],
    ]) {
      await compare(words);
    }
    const end = '$4\r\nn?ws\r\n$4\r\nnews\r\n$3\r\nend\r\n';
    const [expected, actual] = await Promise.all([their.until(end), our.until(end)]);
    expect(actual).toBe(expected);
    await Promise.all([their.close(), our.close()]);
  });
});

/** Whether replies that differ in bytes say the same. */
function agree(words: readonly string[], actual: string, expected: string): boolean {
  const command = words[0]!.toUpperCase();
  // Which keys a cursor in the middle of nowhere leads to is the server's own matter.
  if (command === 'SCAN' && !['0', ''].includes(words[1] ?? '')) return actual[0] === '*' && expected[0] === '*';
  if (UNORDERED.has(command)) return sorted(actual) === sorted(expected);
  if (!CLOCK.has(command)) return false;
  const [a, b] = [decodeReplies(actual)[0], decodeReplies(expected)[0]];
  if (typeof a !== 'number' || typeof b !== 'number' || a < 0 || b < 0) return false;
  return Math.abs(a - b) <= (command === 'TTL' ? CLOCK_SLACK_MS / 1000 : CLOCK_SLACK_MS);
}

function sorted(reply: string): string {
  const order = (value: Value): unknown =>
    Array.isArray(value) ? value.map(order).sort((a, b) => (String(a) < String(b) ? -1 : 1)) : String(value);
  return JSON.stringify(decodeReplies(reply).map(order));
}
