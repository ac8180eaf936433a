import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { Feed, type PushReport } from '@millrace/feed';

const full = (options: { warnPushAfterUs?: number } = {}): Feed => {
  const feed = new Feed({ capacity: 1, maxMessageBytes: 8, overflow: 'block', blockTimeoutMs: 5, ...options });
  feed.push(Buffer.of(1));
  return feed;
};

test('the time that a waiting producer spends in push is in stats()', async () => {
  const feed = full();
  expect(feed.push(Buffer.of(2))).toBe(false);
  const { pushNs } = feed.stats();
  // The clocks of the two sides may differ by a rounding.
  expect(pushNs.max).toBeGreaterThan(4.9e6);
  expect(pushNs.max).toBeGreaterThanOrEqual(pushNs.p99);
  await feed.close();
});

test('pushes that do not wait are sampled', async () => {
  const feed = new Feed({ capacity: 8, maxMessageBytes: 8, overflow: 'drop-oldest' });
  const message = Buffer.of(1);
  // One in 512 is timed: that none of so many is does not happen.
  for (let i = 0; i < 100_000; i++) feed.push(message);
  const { p50, p99, max } = feed.stats().pushNs;
  expect(p50).toBeGreaterThan(0);
  expect(p99).toBeGreaterThanOrEqual(p50);
  expect(max).toBeGreaterThanOrEqual(p99);
  await feed.close();
});

test('slowPush is emitted when a push takes longer than warnPushAfterUs', async () => {
  const feed = full();
  const slow = once(feed, 'slowPush') as Promise<[PushReport]>;
  feed.push(Buffer.of(2));
  const [{ elapsedUs, pushes }] = await slow;
  expect(elapsedUs).toBeGreaterThan(4900);
  expect(pushes).toBe(1);
  await feed.close();
});

test('slowPush comes on the handle that something listens on, whichever thread pushed', async () => {
  const options = { capacity: 1, maxMessageBytes: 4, overflow: 'block', key: 'u32' } as const;
  const feed = new Feed({ ...options, blockTimeoutMs: 5 });
  feed.push(Buffer.of(1), 1);
  const slow = once(feed, 'slowPush') as Promise<[PushReport]>;
  const producer = new Worker(path.join(__dirname, 'programs', 'attached.js'), {
    workerData: { token: feed.share(), role: 'produce', first: 0, count: 1 },
  });
  const exit = once(producer, 'exit');
  expect((await slow)[0].elapsedUs).toBeGreaterThan(4900);
  await exit;
  await feed.close();
});

test('warnPushAfterUs: 0 means never, and one may listen after the end too', async () => {
  const feed = full({ warnPushAfterUs: 0 });
  const reports: PushReport[] = [];
  feed.on('slowPush', (report) => reports.push(report));
  feed.push(Buffer.of(2));
  await new Promise(setImmediate);
  await feed.close();
  feed.on('slowPush', () => {});
  expect(reports).toEqual([]);
});

test.each([-1, NaN, '5'])('warnPushAfterUs: %p is refused', (warnPushAfterUs) => {
  const options = { capacity: 1, maxMessageBytes: 1, overflow: 'drop-newest', warnPushAfterUs } as never;
  expect(() => new Feed(options)).toThrow('options.warnPushAfterUs');
});
