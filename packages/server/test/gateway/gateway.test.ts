import { execFileSync } from 'node:child_process';
import { MarketGenerator } from '../../dist/gateway/feed/market-generator.js';
import { GatewayProcess } from './gateway-process';
import { redisCliIsInstalled } from './redis-process';
import { decodeReplies, encodeCommand, RespClient, type Value } from './resp-client';

const testWithTools = redisCliIsInstalled ? test : test.skip;
const WORKERS = '2';

describe('the running gateway', () => {
  let gateway: GatewayProcess;
  let clients: RespClient[];

  beforeAll(async () => {
    gateway = await GatewayProcess.start('--workers', WORKERS, '--feed', 'synthetic:5000');
  });

  afterAll(async () => {
    const { code, stderr } = await gateway.stop();
    expect({ code, errors: stderr.split('\n').filter((line) => line.includes('"level":"error"')) }).toEqual({
      code: 0,
      errors: [],
    });
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

  async function info(client: RespClient, ...sections: string[]): Promise<Map<string, string>> {
    const text = (await client.call('INFO', ...sections)) as string;
    const lines = text.split('\r\n').filter((line) => line.includes(':'));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
  }

  test('says what listens where, the memory plan, and three commands to try', () => {
    const { stdout } = gateway;
    expect(stdout).toContain(`127.0.0.1:${gateway.port}`);
    expect(stdout).toContain(`http://127.0.0.1:${gateway.adminPort}/metrics`);
    expect(stdout).toMatch(/memory +plan [\d.]+ MiB of 256.0 MiB/);
    expect(stdout.match(/redis-cli -p \d+/g)).toHaveLength(3);
  });

  testWithTools('the commands of the banner work', async () => {
    const [client] = await connect();
    while ((await client!.call('GET', 'last:BTCUSDT')) === null);
    const cli = (...args: string[]): string =>
      execFileSync('redis-cli', ['-p', String(gateway.port), ...args], { encoding: 'utf8' });
    expect(cli('GET', 'last:BTCUSDT')).toMatch(/^\d+\.\d\d\n$/);
    expect(cli('INFO', 'feed')).toMatch(/feed_offered:\d+/);
    expect(cli('COMMAND', 'DOCS', 'get')).toContain('summary');
  });

  testWithTools.each(['1', '16'])('redis-benchmark runs, pipelines of %s', (depth) => {
    const flags = [
      '-p',
      String(gateway.port),
      '-t',
      'ping,set,get,incr',
      '-n',
      '4000',
      '-c',
      '20',
      '-P',
      depth,
      '--csv',
    ];
    const output = execFileSync('redis-benchmark', flags, { encoding: 'utf8' });
    expect(output).not.toMatch(/error/i);
    for (const name of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR']) expect(output).toContain(`"${name}"`);
  });

  test('every symbol of the feed gets its keys', async () => {
    const [client] = await connect();
    for (const symbol of MarketGenerator.symbols) {
      const names = ['last', 'vwap', 'bar', 'quote'].map((kind) => `${kind}:${symbol}`);
      let values: Value;
      do values = await client!.call('MGET', ...names);
      while ((values as Value[]).includes(null));
      const [last, vwap, bar, quote] = values as string[];
      expect(last).toMatch(/^\d+\.\d+$/);
      expect(Number(vwap)).toBeGreaterThan(0);
      expect(JSON.parse(bar!)).toMatchObject({ trades: expect.any(Number), close: expect.any(String) });
      expect(JSON.parse(quote!)).toMatchObject({ bid: expect.any(String), ask: expect.any(String) });
    }
  });

  test('INCR on all workers at a time loses none', async () => {
    const adders = await connect(8);
    await adders[0]!.send('DEL', 'counter');
    const batch = Buffer.concat(Array.from({ length: 500 }, () => encodeCommand(['INCR', 'counter'])));
    const replies = await Promise.all(adders.map((client) => client.exchange(batch)));
    const seen = replies.flatMap((reply) => decodeReplies(reply) as number[]);
    expect([...new Set(seen)].sort((a, b) => a - b)).toEqual(Array.from({ length: 4000 }, (_, i) => i + 1));
  });

  test('a key is gone when its time is over', async () => {
    const [client] = await connect();
    await client!.send('SET', 'brief', 'x', 'PX', '30');
    while ((await client!.call('GET', 'brief')) !== null);
    expect(await client!.call('PTTL', 'brief')).toBe(-2);
  });

  test('CLIENT LIST shows the connections of every worker, by name', async () => {
    const named = await connect(6);
    for (const [i, client] of named.entries()) await client.send('CLIENT', 'SETNAME', `client-${i}`);
    const ids = await Promise.all(named.map((client) => client.call('CLIENT', 'ID')));
    const list = (await named[0]!.call('CLIENT', 'LIST')) as string;
    for (const [i, id] of ids.entries())
      expect(list).toMatch(new RegExp(`^id=${id as number} .* name=client-${i} `, 'm'));
  });

  test('INFO has the sections that tools read', async () => {
    const [client] = await connect();
    const all = await info(client!);
    expect(all.get('redis_version')).toMatch(/^7\./);
    expect(Number(all.get('tcp_port'))).toBe(gateway.port);
    expect(Number(all.get('connected_clients'))).toBeGreaterThanOrEqual(1);
    expect(Number(all.get('memory_plan_bytes'))).toBeLessThanOrEqual(256 * 1024 ** 2);
    expect(Number(all.get('memory_used_bytes'))).toBeGreaterThan(0);
    expect(Number(all.get('total_commands_processed'))).toBeGreaterThan(0);
    expect([...(await info(client!, 'feed')).keys()]).toEqual(
      expect.arrayContaining(
        ['offered', 'delivered', 'failed', 'conflated', 'dropped', 'in_flight'].map((figure) => `feed_${figure}`),
      ),
    );
  });

  test('a command with something before or after its name is unknown', async () => {
    const [client] = await connect();
    for (const name of [' GET', '\0SET', 'GET ', 'SET\0', '', '\0']) {
      expect(String(await client!.call(name, 'k'))).toMatch(/^Error: ERR unknown command/);
    }
  });

  test('every command is described', async () => {
    const [client] = await connect();
    const commands = (await client!.call('COMMAND')) as [string, number][];
    expect(await client!.call('COMMAND', 'COUNT')).toBe(commands.length);
    const docs = (await client!.call('COMMAND', 'DOCS')) as Value[];
    expect(docs).toHaveLength(2 * commands.length);
    expect(commands.map(([name]) => name)).toEqual(expect.arrayContaining(['get', 'set', 'subscribe', 'client']));
  });

  test('the admin listener tells of health, metrics and state', async () => {
    const [client] = await connect();
    const read = (path: string, init?: RequestInit): Promise<Response> =>
      fetch(`http://127.0.0.1:${gateway.adminPort}${path}`, init);
    expect((await read('/livez')).status).toBe(200);
    expect((await read('/readyz')).status).toBe(200);
    const metrics = await (await read('/metrics')).text();
    expect(metrics).toMatch(/^millrace_connections_open \d+$/m);
    expect(metrics).toMatch(/^millrace_feed_offered_total \d+$/m);
    const { connections } = (await (await read('/connections?limit=1000&sort=bytesRead')).json()) as {
      connections: { sequence: number }[];
    };
    expect(connections.map(({ sequence }) => sequence)).toContain(await client!.call('CLIENT', 'ID'));
    expect(await (await read('/queues')).json()).toHaveProperty('server.send.depth');
    expect(await (await read('/threads')).json()).toMatchObject({ workers: [{ workerIndex: 0 }, { workerIndex: 1 }] });
    expect(await (await read('/config')).json()).toMatchObject({ workers: 2, feed: 'synthetic:5000' });
    expect((await read('/connections?limit=x')).status).toBe(400);
    expect((await read('/nowhere')).status).toBe(404);
    expect((await read('/livez', { method: 'POST' })).status).toBe(405);
  });
});

test('keys above the bound are refused, and the others served', async () => {
  const gateway = await GatewayProcess.start('--max-memory', '72mb', '--max-clients', '1000');
  const client = await RespClient.connect(gateway.port);
  const value = 'x'.repeat(1024 * 1024);
  let reply: Value = null;
  for (let i = 0; i < 64 && !(reply instanceof Error); i++) reply = await client.call('SET', `key-${i}`, value);
  expect(String(reply)).toBe("Error: OOM command not allowed when used memory > 'maxmemory'.");
  expect(await client.call('GET', 'key-0')).toBe(value);
  expect(await client.call('FLUSHALL')).toBe('OK');
  expect(await client.call('SET', 'key', value)).toBe('OK');
  await client.close();
  expect((await gateway.stop()).code).toBe(0);
});

test('an idle connection is closed, one that subscribes is not', async () => {
  const gateway = await GatewayProcess.start('--idle-timeout', '200ms');
  const [idle, subscriber] = [await RespClient.connect(gateway.port), await RespClient.connect(gateway.port)];
  await subscriber.send('SUBSCRIBE', 'news');
  const later = await RespClient.connect(gateway.port);
  expect(await idle.untilClosed()).toBe('');
  expect(await later.untilClosed()).toBe('');
  expect(await subscriber.send('PING')).toBe('*2\r\n$4\r\npong\r\n$0\r\n\r\n');
  await subscriber.close();
  expect((await gateway.stop()).code).toBe(0);
});
