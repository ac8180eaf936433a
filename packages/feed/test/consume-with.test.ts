import { once } from 'node:events';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { BroadcastChannel } from 'node:worker_threads';
import { Feed, type WorkerReport } from '@millrace/feed';
import { imbalance } from './balance';
import { rejected, thrown } from './thrown';

const consumer = (name: string): string => path.join(__dirname, 'consumers', name);

const open: { close(options?: { timeoutMs: number }): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((feed) => feed.close({ timeoutMs: 0 }))));

function makeFeed(capacity = 100_000): Feed<'u32'> {
  const feed = new Feed({ capacity, maxMessageBytes: 64, overflow: 'drop-newest', key: 'u32' });
  open.push(feed);
  return feed;
}

interface Echo {
  started?: number;
  stopped?: boolean;
  worker?: number;
  rows?: [number, string][];
}

/** What the workers of echo.mjs post, in the order of arrival. */
function listen(name: string): {
  heard: Echo[];
  until(enough: (heard: Echo[]) => boolean): Promise<void>;
  close(): void;
} {
  const channel = new BroadcastChannel(name);
  const heard: Echo[] = [];
  let wake = (): void => {};
  channel.onmessage = (event) => {
    heard.push((event as { data: Echo }).data);
    wake();
  };
  return {
    heard,
    async until(enough) {
      while (!enough(heard)) await new Promise<void>((resolve) => (wake = resolve));
    },
    close: () => channel.close(),
  };
}

describe('workers', () => {
  test('start, read, and stop', async () => {
    const feed = makeFeed();
    const echo = listen('feed-echo');
    feed.push(Buffer.from('early'), 7);
    const workers = await feed.consumeWith({
      filename: pathToFileURL(consumer('echo.mjs')),
      workers: 2,
      workerData: { channel: 'feed-echo' },
    });
    for (let i = 0; i < 1000; i++) feed.push(Buffer.from(`${i}`), i % 10);
    await feed.drain();
    await workers[Symbol.asyncDispose]();
    await workers[Symbol.asyncDispose]();
    await echo.until((heard) => heard.filter(({ stopped }) => stopped).length === 2);
    echo.close();
    const { heard } = echo;
    expect(
      heard
        .filter(({ started }) => started !== undefined)
        .map(({ started }) => started)
        .sort(),
    ).toEqual([0, 1]);
    const rows = heard.flatMap(({ worker, rows = [] }) => rows.map(([key, text]) => ({ worker, key, text })));
    expect(rows).toHaveLength(1001);
    for (let key = 0; key < 10; key++) {
      const mine = rows.filter((row) => row.key === key);
      expect(new Set(mine.map(({ worker }) => worker)).size).toBe(1);
      const numbers = mine.map(({ text }) => (text === 'early' ? -1 : Number(text)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    expect(feed.stats()).toMatchObject({ delivered: 1001, inFlight: 0 });
    // Nobody reads any more; the messages stay.
    feed.push(Buffer.from('late'), 1);
    expect(feed.stats().depth).toBe(1);
  });

  test('share the messages of a feed without keys', async () => {
    const feed = new Feed({ capacity: 1000, maxMessageBytes: 8, overflow: 'block' });
    open.push(feed);
    await using _workers = await feed.consumeWith({ filename: consumer('compiled.js'), workers: 2 });
    for (let i = 0; i < 5000; i++) feed.push(Buffer.of(1));
    await feed.drain();
    expect(feed.stats()).toMatchObject({ offered: 5000, delivered: 5000 });
    expect((await rejected(feed.consumeWith({ filename: 'x', dispatch: 'sticky' }))).code).toBe(
      'ERR_INVALID_ARG_VALUE',
    );
  });

  test('finish what waits when the feed closes', async () => {
    const feed = makeFeed();
    await feed.consumeWith({ filename: consumer('compiled.js'), workers: 1 });
    for (let i = 0; i < 5000; i++) feed.push(Buffer.of(1), i);
    await feed.close();
    expect(feed.stats()).toMatchObject({ delivered: 5000, inFlight: 0 });
  });

  test('that never settle are ended by close after timeoutMs', async () => {
    const feed = makeFeed();
    const options = { filename: consumer('fail.js'), workers: 1, workerData: { how: 'never' } };
    await feed.consumeWith(options);
    for (let i = 0; i < 10; i++) feed.push(Buffer.of(1), i);
    while (feed.stats().depth === 10) await turn();
    await feed.close({ timeoutMs: 1 });
    expect(feed.stats()).toMatchObject({ failed: 1, inFlight: 0 });
    expect(feed.stats().dropped.closed).toBe(9);
  });

  test('that never stop are ended by close after timeoutMs', async () => {
    const feed = makeFeed();
    await feed.consumeWith({ filename: consumer('fail.js'), workers: 2, workerData: { how: 'never-stops' } });
    feed.push(Buffer.of(1), 1);
    await feed.drain();
    await feed.close({ timeoutMs: 20 });
    expect(feed.stats()).toMatchObject({ delivered: 1, failed: 0 });
  });

  test('make room for a producer that waits', async () => {
    const feed = new Feed({ capacity: 4, maxMessageBytes: 8, overflow: 'block', key: 'u32' });
    open.push(feed);
    await using _workers = await feed.consumeWith({ filename: consumer('compiled.js'), workers: 1 });
    for (let i = 0; i < 2000; i++) expect(feed.push(Buffer.of(1), i)).toBe(true);
    await feed.drain();
    expect(feed.stats()).toMatchObject({ delivered: 2000, highWater: 4 });
  });

  test('report batches that fail', async () => {
    const feed = makeFeed();
    const failed = once(feed, 'error') as Promise<[Error]>;
    await using _workers = await feed.consumeWith({
      filename: consumer('fail.js'),
      workers: 1,
      workerData: { how: 'throw' },
    });
    feed.push(Buffer.of(1), 1);
    await feed.drain();
    const [error] = await failed;
    expect(error).toMatchObject({
      code: 'ERR_FEED_CONSUMER',
      cause: { name: 'TypeError', message: 'boom', code: 'ERR_MINE' },
    });
    expect(feed.stats()).toMatchObject({ failed: 1, delivered: 0 });
  });

  test('that block for a while are reported, not replaced', async () => {
    const feed = makeFeed();
    const warned = once(feed, 'warn') as Promise<[WorkerReport]>;
    await using _workers = await feed.consumeWith({
      filename: consumer('fail.js'),
      workers: 1,
      warnAfterMs: 20,
      stuckAfterMs: 0,
      workerData: { how: 'block', ms: 200 },
    });
    feed.push(Buffer.of(1), 1);
    const [report] = await warned;
    expect(report.workerIndex).toBe(0);
    expect(report.elapsedMs).toBeGreaterThanOrEqual(20);
    await feed.drain();
    expect(feed.stats().delivered).toBe(1);
  });

  test('that cannot finish a batch are given up after eight attempts', async () => {
    const feed = makeFeed();
    const lost = once(feed, 'error') as Promise<[Error]>;
    const replaced: WorkerReport[] = [];
    feed.on('replaced', (report) => replaced.push(report));
    await using _workers = await feed.consumeWith({
      filename: consumer('fail.js'),
      workers: 1,
      workerData: { how: 'exit' },
    });
    for (let i = 0; i < 100; i++) feed.push(Buffer.of(1), i);
    const [error] = await lost;
    expect(error).toMatchObject({ code: 'ERR_FEED_WORKER_LOST', workerIndex: 0 });
    expect(replaced).toHaveLength(7);
    expect(replaced[0]).toMatchObject({
      workerIndex: 0,
      reason: 'exit',
      error: { message: expect.stringContaining('7') },
    });
    expect(feed.stats()).toMatchObject({ failed: 8, depth: 92 });
    // Another consumer takes over what is left.
    feed.consume(() => {});
    await feed.drain();
    expect(feed.stats()).toMatchObject({ failed: 8, delivered: 92 });
    expect(imbalance(feed.stats())).toBe(0);
  }, 60_000);
});

describe('a module that does not start', () => {
  const start = (how: string): object => ({ filename: consumer('start.js'), workerData: { how, worker: 1 } });

  test.each([
    ['is missing', { filename: consumer('missing.js') }, { code: 'ERR_MODULE_NOT_FOUND' }],
    ['has no consumer', { filename: consumer('no-batch.js') }, { message: expect.stringContaining('"batch"') }],
    ['throws in start', start('throw'), { name: 'RangeError', message: 'no start', code: 'ERR_MINE' }],
    ['exits in start', start('exit'), { message: expect.stringContaining('3') }],
  ])('%s', async (_how, options, cause) => {
    const feed = makeFeed();
    feed.push(Buffer.of(1), 1);
    const error = await rejected(feed.consumeWith({ workers: 2, ...options } as never));
    expect(error).toMatchObject({ code: 'ERR_WORKER_MODULE', cause });
    expect(feed.stats()).toMatchObject({ depth: 1, delivered: 0 });
    await using _workers = await feed.consumeWith({ filename: consumer('compiled.js'), workers: 1 });
    await feed.drain();
    expect(feed.stats().delivered).toBe(1);
  });

  test('is given up by its signal, and by close', async () => {
    const feed = makeFeed();
    const controller = new AbortController();
    const starting = rejected(feed.consumeWith({ workers: 2, signal: controller.signal, ...start('hang') } as never));
    controller.abort();
    expect(await starting).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    const options = { workers: 2, signal: controller.signal, ...start('hang') } as never;
    expect((await rejected(feed.consumeWith(options))).code).toBe('ABORT_ERR');
    const closed = rejected(feed.consumeWith({ workers: 2, ...start('hang') } as never));
    await feed.close();
    expect((await closed).code).toBe('ERR_FEED_CLOSED');
  });

  test('its options are checked', async () => {
    const feed = makeFeed();
    const codes = async (options: unknown): Promise<unknown> =>
      (await rejected(feed.consumeWith(options as never))).code;
    expect(await codes(undefined)).toBe('ERR_INVALID_ARG_TYPE');
    expect(await codes({})).toBe('ERR_INVALID_ARG_TYPE');
    expect(await codes({ filename: 'x', workers: 0 })).toBe('ERR_OUT_OF_RANGE');
    expect(await codes({ filename: 'x', stuckAfterMs: -1 })).toBe('ERR_OUT_OF_RANGE');
    expect(await codes({ filename: 'x', dispatch: 'random' })).toBe('ERR_INVALID_ARG_VALUE');
    expect(await codes({ filename: 'x', workerData: () => {} })).toBe(25);
    feed.consume(() => {});
    expect(thrown(() => feed.push(Buffer.alloc(65), 1)).code).toBe('ERR_MESSAGE_TOO_LARGE');
  });
});
