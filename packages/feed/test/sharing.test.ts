import { once } from 'node:events';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Feed, type FeedStats, type SharedToken } from '@millrace/feed';
import { imbalance } from './balance';
import { rejected, thrown } from './thrown';

const attached = (feed: Feed<'u32'>, data: object): Worker =>
  new Worker(path.join(__dirname, 'programs', 'attached.js'), { workerData: { token: feed.share(), ...data } });

describe('a token (hazard 7)', () => {
  test('opens the same feed on other threads, all of which push', async () => {
    const feed = new Feed({ capacity: 64, maxMessageBytes: 4, overflow: 'block', key: 'u32' });
    const last = new Map<string, number>();
    let wrong = 0;
    let seen = 0;
    feed.consume((batch) => {
      for (let i = 0; i < batch.length; i++) {
        const number = batch.view.getUint32(batch.offset(i), true);
        const stream = `${Math.floor(number / 1e6)} ${batch.key(i)}`;
        if (number <= (last.get(stream) ?? -1) || number % 8 !== batch.key(i)) wrong++;
        last.set(stream, number);
        seen++;
      }
    });
    const producers = [0, 1, 2].map((at) => attached(feed, { role: 'produce', first: at * 1e6, count: 20_000 }));
    await Promise.all(producers.map((producer) => once(producer, 'exit')));
    await feed.close();
    expect({ wrong, seen }).toEqual({ wrong: 0, seen: 60_000 });
    expect(feed.stats()).toMatchObject({ offered: 60_000, delivered: 60_000 });
    expect(imbalance(feed.stats())).toBe(0);
  });

  test('is small, can be cloned, and opens on the same thread too', async () => {
    const feed = new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'ascii16' });
    const token = structuredClone(feed.share());
    expect(token.kind).toBe('feed');
    expect(JSON.stringify(token).length).toBeLessThan(150);
    const other: Feed<'ascii16'> = Feed.attach(token);
    other.push(Buffer.from('x'), 'KEY');
    expect(feed.stats().depth).toBe(1);
    await feed.close();
    await other.close();
  });

  test('is gone with the last handle', async () => {
    const feed = new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'u32' });
    const token = feed.share();
    const other = Feed.attach(token);
    feed.detach();
    feed.detach();
    expect(thrown(() => feed.push(Buffer.of(1), 1)).code).toBe('ERR_FEED_CLOSED');
    expect(other.push(Buffer.of(1), 1)).toBe(true);
    expect(feed.stats().offered).toBe(0);
    const drained = rejected(other.drain());
    other.detach();
    expect((await drained).code).toBe('ERR_FEED_CLOSED');
    expect(thrown(() => Feed.attach(token)).code).toBe('ERR_SHARED_GONE');
  });

  test.each<[string, object | undefined, string]>([
    ['another copy of the package', { copy: 1 }, 'ERR_LAYOUT_MISMATCH'],
    ['another process', { pid: 1 }, 'ERR_SHARED_GONE'],
    ['another feed, now gone', { nonce: 1 }, 'ERR_SHARED_GONE'],
    ['another structure', { kind: 'queue' }, 'ERR_INVALID_ARG_VALUE'],
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('of %s is refused', (_what, change, code) => {
    const feed = new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'u32' });
    const token = change === undefined ? undefined : { ...feed.share(), ...change };
    expect(thrown(() => Feed.attach(token as SharedToken<'feed', 'u32'>)).code).toBe(code);
    feed.detach();
  });
});

test('a feed that one thread closes ends on the others', async () => {
  const feed = new Feed({ capacity: 1000, maxMessageBytes: 4, overflow: 'block', key: 'u32' });
  const reader = attached(feed, { role: 'consume' });
  await once(reader, 'message');
  for (let i = 0; i < 3000; i++) feed.push(Buffer.of(1), i);
  const ended = once(reader, 'message') as Promise<[FeedStats]>;
  const exit = once(reader, 'exit');
  await feed.close();
  const [stats] = await ended;
  expect(stats).toMatchObject({ delivered: 3000, inFlight: 0 });
  await exit;
});

test('hazard 4: a thread that waits in push can be terminated', async () => {
  const feed = new Feed({ capacity: 1, maxMessageBytes: 4, overflow: 'block', key: 'u32' });
  feed.push(Buffer.of(1), 1);
  const producer = attached(feed, { role: 'wait' });
  await once(producer, 'message');
  await producer.terminate();
  expect(feed.stats()).toMatchObject({ offered: 1, depth: 1 });
  await feed.close();
});

test('hazard 6: a thread that ends hands its messages back to the others', async () => {
  const feed = new Feed({ capacity: 1000, maxMessageBytes: 4, overflow: 'drop-newest', key: 'u32' });
  const reader = attached(feed, { role: 'consume' });
  await once(reader, 'message');
  await reader.terminate();
  for (let i = 0; i < 10; i++) feed.push(Buffer.of(i), i);
  await turn();
  expect(feed.stats().depth).toBe(10);
  feed.consume(() => {});
  await feed.close();
  expect(feed.stats().delivered).toBe(10);
});
