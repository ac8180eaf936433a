import { Feed, type FeedOptions } from '@millrace/feed';
import { imbalance } from './balance';
import { thrown } from './thrown';

const open: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((feed) => feed.close())));

function keep<T extends { close(): Promise<void> }>(feed: T): T {
  open.push(feed);
  return feed;
}

/** The texts of all messages that wait, taken out by a consumer. */
async function take(feed: Feed<'u32'>): Promise<string[]> {
  const texts: string[] = [];
  const consumer = feed.consume((batch) => {
    for (let i = 0; i < batch.length; i++) texts.push(Buffer.from(batch.bytes(i)).toString());
  });
  await feed.drain();
  consumer[Symbol.dispose]();
  return texts;
}

function pushAll(
  feed: Feed<'u32'>,
  texts: string[],
  keyOf = (_text: string, index: number): number => index,
): boolean[] {
  return texts.map((text, index) => feed.push(Buffer.from(text), keyOf(text, index)));
}

describe('a full feed', () => {
  const base = { capacity: 3, maxMessageBytes: 8, key: 'u32' } as const;
  const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

  test('drop-newest refuses', async () => {
    const feed = keep(new Feed({ ...base, overflow: 'drop-newest' }));
    expect(pushAll(feed, letters)).toEqual([true, true, true, false, false, false, false, false]);
    expect(feed.stats()).toMatchObject({ offered: 8, accepted: 3, depth: 3, inFlight: 3, highWater: 3 });
    expect(feed.stats().dropped.newest).toBe(5);
    expect(await take(feed)).toEqual(['a', 'b', 'c']);
    expect(feed.stats()).toMatchObject({ delivered: 3, inFlight: 0, depth: 0 });
  });

  test('drop-oldest makes room', async () => {
    const feed = keep(new Feed({ ...base, overflow: 'drop-oldest' }));
    expect(pushAll(feed, letters)).toEqual(letters.map(() => true));
    expect(feed.stats().dropped.oldest).toBe(5);
    expect(await take(feed)).toEqual(['f', 'g', 'h']);
  });

  test('sample keeps every so many of those that find no room', async () => {
    const feed = keep(new Feed({ ...base, overflow: 'sample', sampleEvery: 2 }));
    expect(pushAll(feed, letters)).toEqual([true, true, true, false, true, false, true, false]);
    expect(feed.stats().dropped).toMatchObject({ sampled: 3, oldest: 2, newest: 0 });
    expect(await take(feed)).toEqual(['c', 'e', 'g']);
  });

  test('hazard 16: conflate keeps the newest of each key at the place of the oldest', async () => {
    const feed = keep(new Feed({ ...base, overflow: 'conflate', key: 'u32' }));
    const texts = ['a1', 'b1', 'a2', 'c1', 'b2', 'd1', 'a3'];
    const accepted = pushAll(feed, texts, (text) => text.charCodeAt(0));
    expect(accepted).toEqual([true, true, true, true, true, false, true]);
    expect(feed.stats()).toMatchObject({ offered: 7, conflated: 3, depth: 3 });
    expect(feed.stats().dropped.newest).toBe(1);
    expect(await take(feed)).toEqual(['a3', 'b2', 'c1']);
  });

  test('hazard 17: what has a key of its own is not conflated, and keeps its place among the others', async () => {
    const feed = keep(new Feed({ capacity: 100, maxMessageBytes: 8, overflow: 'conflate', key: 'u64' }));
    const symbol = 0x1234n;
    let trades = 0n;
    const quote = (text: string): boolean => feed.push(Buffer.from(text), symbol);
    const trade = (text: string): boolean => feed.push(Buffer.from(text), (++trades << 32n) | symbol);
    quote('q1');
    trade('t1');
    quote('q2');
    trade('t2');
    trade('t3');
    const seen: string[] = [];
    feed.consume((batch) => {
      for (let i = 0; i < batch.length; i++) seen.push(Buffer.from(batch.bytes(i)).toString());
    });
    await feed.drain();
    trade('t4');
    quote('q3');
    await feed.drain();
    expect(seen).toEqual(['q2', 't1', 't2', 't3', 't4', 'q3']);
  });

  test('conflate takes maxKeys keys', () => {
    const feed = keep(new Feed({ ...base, overflow: 'conflate', key: 'u32', maxKeys: 2 }));
    expect(pushAll(feed, ['a', 'b', 'c', 'd'])).toEqual([true, true, false, false]);
  });

  test('block waits blockTimeoutMs, then counts a timeout', () => {
    const feed = keep(new Feed({ ...base, overflow: 'block', blockTimeoutMs: 0 }));
    expect(pushAll(feed, letters)).toEqual([true, true, true, false, false, false, false, false]);
    expect(feed.stats().dropped.timeout).toBe(5);
    const patient = keep(new Feed({ ...base, overflow: 'block', blockTimeoutMs: 60 }));
    pushAll(patient, ['a', 'b', 'c']);
    expect(patient.push(Buffer.from('d'), 1)).toBe(false);
    expect(imbalance(patient.stats())).toBe(0);
  });

  test('block on the thread of the only consumer is a deadlock, and says so', () => {
    const feed = keep(new Feed({ ...base, overflow: 'block' }));
    feed.consume(() => {});
    pushAll(feed, ['a', 'b', 'c']);
    expect(thrown(() => feed.push(Buffer.from('d'), 1)).code).toBe('ERR_FEED_DEADLOCK');
    expect(feed.stats().offered).toBe(3);
  });
});

describe('memory', () => {
  test('a message has its bytes to itself: the pushed buffer can be used again at once', async () => {
    const feed = keep(new Feed({ capacity: 8, maxMessageBytes: 8, overflow: 'drop-newest', key: 'u32' }));
    const buffer = Buffer.from('one');
    feed.push(buffer, 1);
    buffer.write('two');
    feed.push(buffer, 1);
    feed.push(Buffer.alloc(0), 1);
    expect(await take(feed)).toEqual(['one', 'two', '']);
  });

  test('without memory the policy decides, as without room', () => {
    const bytes = Buffer.alloc(60_000);
    const make = (overflow: 'drop-newest' | 'drop-oldest'): Feed<'u32'> =>
      keep(new Feed({ capacity: 100, maxMessageBytes: 60_000, maxBytes: 130_000, overflow, key: 'u32' }));
    const newest = make('drop-newest');
    expect([1, 2, 3].map((key) => newest.push(bytes, key))).toEqual([true, true, false]);
    const oldest = make('drop-oldest');
    expect([1, 2, 3].map((key) => oldest.push(bytes, key))).toEqual([true, true, true]);
    expect(oldest.stats().dropped.oldest).toBe(1);
    expect(imbalance(oldest.stats())).toBe(0);
  });

  test('the plan names the parts and adds them up', () => {
    const feed = keep(new Feed({ capacity: 1000, maxMessageBytes: 64, overflow: 'conflate', key: 'u32' }));
    const { totalBytes, parts } = feed.memoryPlan();
    expect(parts.map(({ name }) => name)).toEqual(['messages', 'allocator', 'entries', 'keys', 'consumers', 'feed']);
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(totalBytes);
    expect(parts[0]!.bytes).toBeGreaterThanOrEqual(256_000);
    const small = keep(new Feed({ capacity: 10, maxMessageBytes: 64, maxBytes: 70_000, overflow: 'drop-newest' }));
    expect(small.memoryPlan().parts[0]!.bytes).toBe(131_072);
  });
});

describe('what push refuses', () => {
  const feeds = {
    none: new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest' }),
    u32: new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'u32' }),
    u64: new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'u64' }),
    ascii16: new Feed({ capacity: 4, maxMessageBytes: 4, overflow: 'drop-newest', key: 'ascii16' }),
  };
  afterAll(() => Promise.all(Object.values(feeds).map((feed) => feed.close())));

  test.each([
    ['a longer message', () => feeds.none.push(Buffer.alloc(5)), 'ERR_MESSAGE_TOO_LARGE'],
    ['a string', () => feeds.none.push('text' as never), 'ERR_INVALID_ARG_TYPE'],
    ['other numbers than bytes', () => feeds.none.push(new Uint16Array(1) as never), 'ERR_INVALID_ARG_TYPE'],
    ['a u32 key that is negative', () => feeds.u32.push(Buffer.alloc(1), -1), 'ERR_OUT_OF_RANGE'],
    ['a u32 key of 2 ** 32', () => feeds.u32.push(Buffer.alloc(1), 2 ** 32), 'ERR_OUT_OF_RANGE'],
    ['a u32 key that is a fraction', () => feeds.u32.push(Buffer.alloc(1), 1.5), 'ERR_OUT_OF_RANGE'],
    ['a u32 key that is missing', () => feeds.u32.push(Buffer.alloc(1), undefined as never), 'ERR_INVALID_ARG_TYPE'],
    ['a u64 key that is a number', () => feeds.u64.push(Buffer.alloc(1), 1 as never), 'ERR_INVALID_ARG_TYPE'],
    ['a u64 key of 2 ** 64', () => feeds.u64.push(Buffer.alloc(1), 2n ** 64n), 'ERR_OUT_OF_RANGE'],
    ['a u64 key that is negative', () => feeds.u64.push(Buffer.alloc(1), -1n), 'ERR_OUT_OF_RANGE'],
    ['a text key of 17 characters', () => feeds.ascii16.push(Buffer.alloc(1), 'x'.repeat(17)), 'ERR_OUT_OF_RANGE'],
    ['a text key beyond ASCII', () => feeds.ascii16.push(Buffer.alloc(1), 'café'), 'ERR_OUT_OF_RANGE'],
    ['a text key with NUL', () => feeds.ascii16.push(Buffer.alloc(1), 'a\0b'), 'ERR_OUT_OF_RANGE'],
  ])('%s', (_what, body, code) => {
    expect(thrown(body).code).toBe(code);
    for (const feed of Object.values(feeds)) expect(feed.stats().offered).toBe(0);
  });
});

describe('options', () => {
  const good = { capacity: 8, maxMessageBytes: 8, overflow: 'drop-newest' };
  test.each([
    [{ ...good, capacity: 0 }, 'ERR_OUT_OF_RANGE', 'options.capacity'],
    [{ ...good, capacity: '8' }, 'ERR_INVALID_ARG_TYPE', 'options.capacity'],
    [{ ...good, maxMessageBytes: 1.5 }, 'ERR_OUT_OF_RANGE', 'options.maxMessageBytes'],
    [{ ...good, maxMessageBytes: undefined }, 'ERR_INVALID_ARG_TYPE', 'options.maxMessageBytes'],
    [{ ...good, maxBytes: 7 }, 'ERR_OUT_OF_RANGE', 'options.maxBytes'],
    [{ ...good, maxBytes: 2 ** 32 }, 'ERR_OUT_OF_RANGE', 'options.maxBytes'],
    [{ ...good, maxKeys: 9 }, 'ERR_OUT_OF_RANGE', 'options.maxKeys'],
    [{ ...good, overflow: 'disconnect' }, 'ERR_INVALID_ARG_VALUE', 'options.overflow'],
    [{ ...good, key: 'string' }, 'ERR_INVALID_ARG_VALUE', 'options.key'],
    [{ ...good, overflow: 'conflate' }, 'ERR_INVALID_ARG_VALUE', 'options.key'],
    [{ ...good, overflow: 'sample' }, 'ERR_INVALID_ARG_TYPE', 'options.sampleEvery'],
    [{ ...good, overflow: 'block', blockTimeoutMs: NaN }, 'ERR_OUT_OF_RANGE', 'options.blockTimeoutMs'],
    [undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
  ])('%j', (options, code, name) => {
    const error = thrown(() => new Feed(options as unknown as FeedOptions<undefined>));
    expect(error.code).toBe(code);
    expect(error.message).toContain(name);
  });
});
