import { existsSync, mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayProcess } from './gateway-process';
import { writeRecording } from './recording';
import { RespClient } from './resp-client';
import { withSeed } from './seed';

/** Not part of the repository: there is a test of it where it is at hand. */
const REAL_RECORDING = join(__dirname, '..', '..', '..', '..', '..', 'shared', 'data', 'btcusdt-perp-20240808.gz');

const MALFORMED = [
  'no time {"stream":"btcusdt@trade"}',
  '1723161255030314667 not json',
  '1723161255030314667 {"stream":"btcusdt@trade","data":{"p":"1.0"',
  '17231612550303146 {}',
  `1723161255030314667 {"stream":"${'x'.repeat(200_000)}"}`,
];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-feed-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function feedFigures(client: RespClient): Promise<Record<string, string>> {
  const text = (await client.call('INFO', 'feed')) as string;
  return Object.fromEntries(text.split('\r\n').map((line) => line.split(':') as [string, string]));
}

/** Until the source is at its end and the workers have handled what it brought. */
async function atRest(client: RespClient): Promise<Record<string, string>> {
  for (;;) {
    const figures = await feedFigures(client);
    if (figures.feed_state === 'failed') throw new Error(JSON.stringify(figures));
    if (figures.feed_state === 'finished' && figures.feed_in_flight === '0') return figures;
  }
}

async function replay(
  path: string,
  flags: readonly string[],
  check: (client: RespClient, figures: Record<string, string>) => Promise<void>,
): Promise<void> {
  const gateway = await GatewayProcess.start('--feed', `file:${path}`, ...flags);
  const client = await RespClient.connect(gateway.port);
  try {
    await check(client, await atRest(client));
  } finally {
    await client.close();
    expect((await gateway.stop()).code).toBe(0);
  }
}

test.each([
  ['plain', false, ['--feed-workers', '1']],
  ['gzip', true, ['--feed-workers', '3']],
])('a recording, %s, loses nothing and leaves the last prices digit for digit', async (_name, gzip, flags) => {
  await withSeed(async (_random, seed) => {
    const path = join(folder, `recording-${String(gzip)}`);
    const recording = writeRecording(path, { seed, messages: 20_000, gzip, malformed: MALFORMED });
    await replay(path, ['--speed', 'max', ...flags], async (client, figures) => {
      expect(figures).toMatchObject({
        feed_offered: '20000',
        feed_delivered: '20000',
        feed_failed: '0',
        feed_conflated: '0',
        feed_dropped: '0',
        feed_unreadable: '0',
        feed_late: '0',
        feed_malformed: String(MALFORMED.length),
      });
      for (const [symbol, price] of recording.last) {
        expect(await client.call('GET', `last:${symbol}`)).toBe(price);
        expect(Number(await client.call('GET', `vwap:${symbol}`))).toBeCloseTo(recording.vwap.get(symbol)!, 3);
      }
    });
  });
});

test('messages without the fields they need are counted, and the others handled', async () => {
  await withSeed(async (_random, seed) => {
    const path = join(folder, 'unreadable');
    const malformed = ['1723161255030314667 {"stream":"btcusdt@trade","data":{"s":"BTCUSDT","p":"x","q":"1","T":1}}'];
    writeRecording(path, { seed, messages: 100, malformed });
    await replay(path, ['--speed', 'max'], async (_client, figures) => {
      expect(figures).toMatchObject({ feed_offered: '101', feed_delivered: '101', feed_unreadable: '1' });
      return Promise.resolve();
    });
  });
});

test('the speed of a replay is that of the recording, times the factor', async () => {
  await withSeed(async (_random, seed) => {
    const path = join(folder, 'slow');
    writeRecording(path, { seed, messages: 500 });
    const started = performance.now();
    await replay(path, ['--speed', '2'], async (_client, figures) => {
      expect(figures.feed_offered).toBe('500');
      return Promise.resolve();
    });
    // Some 1,750 ms were recorded: half of that is the least it can take.
    expect(performance.now() - started).toBeGreaterThan(700);
  });
});

test('a recording that breaks off is reported, and the server goes on', async () => {
  const path = join(folder, 'broken');
  writeRecording(path, { seed: 1, messages: 5000, gzip: true });
  truncateSync(path, 20_000);
  const gateway = await GatewayProcess.start('--feed', `file:${path}`, '--speed', 'max');
  await gateway.logged('the feed cannot go on');
  const client = await RespClient.connect(gateway.port);
  expect(await feedFigures(client)).toMatchObject({ feed_state: 'failed' });
  await client.close();
  expect((await gateway.stop()).code).toBe(0);
});

if (existsSync(REAL_RECORDING)) {
  test('the recording of 8 August 2024 goes through whole', async () => {
    await replay(REAL_RECORDING, ['--speed', 'max'], async (client, figures) => {
      expect(figures).toMatchObject({ feed_offered: '93954', feed_delivered: '93954', feed_malformed: '0' });
      expect(figures).toMatchObject({ feed_trades: '21313', feed_quotes: '66089', feed_other: '6552' });
      expect(await client.call('GET', 'last:BTCUSDT')).toBe('61659.80');
    });
  });
}
