import { setImmediate as turn } from 'node:timers/promises';
import { Feed, type FeedBatch, type FeedKeyKind } from '@millrace/feed';
import { imbalance } from './balance';
import { rejected, thrown } from './thrown';

const open: { close(options?: { timeoutMs: number }): Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((feed) => feed.close({ timeoutMs: 0 }))));

function makeFeed<const K extends FeedKeyKind = undefined>(key?: K, capacity = 1000): Feed<K> {
  const feed = new Feed<K>({ capacity, maxMessageBytes: 64, overflow: 'drop-newest', ...(key && { key }) } as never);
  open.push(feed);
  return feed;
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let resolve!: () => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

function bytesOf<K extends FeedKeyKind>(batch: FeedBatch<K>): number[] {
  return Array.from({ length: batch.length }, (_, i) => batch.view.getUint8(batch.offset(i)));
}

describe('a batch', () => {
  test('shows what was pushed', async () => {
    const feed = makeFeed('ascii16');
    const rows: unknown[] = [];
    let receivedNs = 0;
    feed.consume((batch) => {
      for (let i = 0; i < batch.length; i++) {
        rows.push([batch.key(i), batch.byteLength(i), Buffer.from(batch.bytes(i)).toString()]);
        expect(batch.view.buffer.byteLength).toBeGreaterThan(batch.offset(i));
        expect(batch.receivedNs(i)).toBeGreaterThan(receivedNs);
        receivedNs = batch.receivedNs(i);
      }
    });
    feed.push(Buffer.from('one'), 'BTCUSDT');
    feed.push(Buffer.from('two!'), 'SIXTEEN-LETTERS!');
    feed.push(Buffer.alloc(0), '');
    await feed.drain();
    expect(rows).toEqual([
      ['BTCUSDT', 3, 'one'],
      ['SIXTEEN-LETTERS!', 4, 'two!'],
      ['', 0, ''],
    ]);
  });

  test('has keys of its kind', async () => {
    const [u32, u64, none] = [makeFeed('u32'), makeFeed('u64'), makeFeed()];
    const keys: unknown[] = [];
    const note = (batch: FeedBatch): void => void keys.push(batch.key(0));
    u32.consume(note);
    u64.consume(note);
    none.consume(note);
    u32.push(Buffer.alloc(1), 2 ** 32 - 1);
    await u32.drain();
    u64.push(Buffer.alloc(1), 2n ** 64n - 1n);
    await u64.drain();
    none.push(Buffer.alloc(1));
    await none.drain();
    expect(keys).toEqual([2 ** 32 - 1, 2n ** 64n - 1n, undefined]);
  });

  test('tells ten thousand text keys apart', async () => {
    const feed = makeFeed('ascii16', 20_000);
    const wrong: string[] = [];
    let seen = 0;
    feed.consume((batch) => {
      for (let i = 0; i < batch.length; i++) {
        if (batch.key(i) !== Buffer.from(batch.bytes(i)).toString()) wrong.push(batch.key(i));
        seen++;
      }
    });
    for (let i = 0; i < 20_000; i++) {
      const key = `SYM${(i * 7919) % 10_000}`;
      feed.push(Buffer.from(key), key);
    }
    await feed.drain();
    expect({ wrong, seen }).toEqual({ wrong: [], seen: 20_000 });
  });

  test('refuses a message that it does not have', async () => {
    const feed = makeFeed();
    const codes: unknown[] = [];
    feed.consume((batch) => {
      for (const i of [-1, 1, 0.5, NaN]) codes.push(thrown(() => batch.bytes(i)).code);
    });
    feed.push(Buffer.alloc(1));
    await feed.drain();
    expect(codes).toEqual(Array(4).fill('ERR_OUT_OF_RANGE'));
  });

  test('is gone when the function has returned', async () => {
    const feed = makeFeed();
    let kept: FeedBatch<undefined> | undefined;
    feed.consume((batch) => void (kept = batch));
    feed.push(Buffer.alloc(1));
    await feed.drain();
    for (const body of [() => kept!.bytes(0), () => kept!.offset(0), () => kept!.key(0), () => kept!.view]) {
      expect(thrown(body).code).toBe('ERR_FEED_BATCH_EXPIRED');
    }
  });

  test('hazard 15: stays while the promise of the function is pending, and the next one waits', async () => {
    const feed = makeFeed();
    const settle = deferred();
    const batches: number[][] = [];
    feed.consume(async (batch) => {
      batches.push(bytesOf(batch));
      await settle.promise;
      expect(bytesOf(batch)).toEqual(batches.at(-1));
    });
    feed.push(Buffer.of(1));
    while (batches.length === 0) await turn();
    feed.push(Buffer.of(2));
    feed.push(Buffer.of(3));
    for (let i = 0; i < 10; i++) await turn();
    expect(feed.stats()).toMatchObject({ depth: 2, inFlight: 3, delivered: 0 });
    settle.resolve();
    await feed.drain();
    expect(batches).toEqual([[1], [2, 3]]);
    expect(feed.stats()).toMatchObject({ delivered: 3, failed: 0 });
  });
});

describe('a function that fails', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ])('%s: its batch has failed, the next one comes, and an error is emitted', async (_how, fail) => {
    const feed = makeFeed();
    const errors: Error[] = [];
    feed.on('error', (error) => errors.push(error));
    let batches = 0;
    feed.consume(() => (batches++ === 0 ? fail() : undefined));
    feed.push(Buffer.alloc(1));
    feed.push(Buffer.alloc(1));
    await feed.drain();
    feed.push(Buffer.alloc(1));
    await feed.drain();
    expect(feed.stats()).toMatchObject({ failed: 2, delivered: 1 });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: 'ERR_FEED_CONSUMER', cause: { message: 'boom' } });
  });

  test('is a warning, once, if nobody listens for errors', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const feed = makeFeed();
    feed.consume(() => {
      throw new Error('boom');
    });
    for (let i = 0; i < 3; i++) {
      feed.push(Buffer.alloc(1));
      await feed.drain();
    }
    expect(warn.mock.calls).toEqual([
      [expect.stringContaining('boom'), expect.objectContaining({ code: 'ERR_FEED_CONSUMER' })],
    ]);
    warn.mockRestore();
    expect(feed.stats().failed).toBe(3);
  });
});

describe('consumers', () => {
  test('share the messages, each of which goes to one of them', async () => {
    const feed = makeFeed('u32');
    const seen: number[][] = [[], []];
    for (const mine of seen) feed.consume((batch) => void mine.push(...bytesOf(batch)));
    for (let i = 0; i < 200; i++) feed.push(Buffer.of(i), i);
    await feed.drain();
    expect(seen.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('leave what waits to the next one', async () => {
    const feed = makeFeed();
    const first = feed.consume(() => first[Symbol.dispose]());
    feed.push(Buffer.of(1));
    await feed.drain();
    feed.push(Buffer.of(2));
    await turn();
    expect(feed.stats()).toMatchObject({ delivered: 1, depth: 1 });
    first[Symbol.dispose]();
    feed.consume(() => {});
    await feed.drain();
    expect(feed.stats().delivered).toBe(2);
  });

  test('settle their last batch after they were disposed of', async () => {
    const feed = makeFeed();
    const settle = deferred();
    const consumer = feed.consume(() => settle.promise);
    feed.push(Buffer.of(1));
    while (feed.stats().depth > 0) await turn();
    consumer[Symbol.dispose]();
    await turn();
    expect(feed.stats()).toMatchObject({ delivered: 0, inFlight: 1 });
    settle.resolve();
    await feed.drain();
    expect(feed.stats().delivered).toBe(1);
  });

  test('end with their signal', async () => {
    const feed = makeFeed();
    const controller = new AbortController();
    feed.consume(() => {}, { signal: controller.signal });
    feed.push(Buffer.of(1));
    await feed.drain();
    controller.abort();
    feed.push(Buffer.of(2));
    await turn();
    expect(feed.stats().depth).toBe(1);
    const error = thrown(() => feed.consume(() => {}, { signal: controller.signal }));
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: controller.signal.reason });
  });

  test('let the event loop turn after sixteen batches', async () => {
    const feed = makeFeed();
    let sinceTurn = 0;
    let most = 0;
    const consumer = feed.consume(() => {
      sinceTurn++;
      most = Math.max(most, sinceTurn);
      feed.push(Buffer.of(1));
    });
    feed.push(Buffer.of(1));
    for (let i = 0; i < 50; i++) {
      await turn();
      sinceTurn = 0;
    }
    consumer[Symbol.dispose]();
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(16);
  });

  test('are refused beyond 256', () => {
    const feed = makeFeed();
    for (let i = 0; i < 256; i++) feed.consume(() => {});
    expect(thrown(() => feed.consume(() => {})).code).toBe('ERR_FEED_NO_SEAT');
  });

  test('must be functions', () => {
    expect(thrown(() => makeFeed().consume('x' as never)).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('close', () => {
  test('hands out what waits, refuses the rest, and can be called again', async () => {
    const feed = makeFeed();
    let closed = 0;
    feed.on('close', () => closed++);
    feed.consume(() => {});
    for (let i = 0; i < 10; i++) feed.push(Buffer.of(i));
    const closing = feed.close();
    expect(thrown(() => feed.push(Buffer.of(1))).code).toBe('ERR_FEED_CLOSED');
    expect(thrown(() => feed.consume(() => {})).code).toBe('ERR_FEED_CLOSED');
    await closing;
    await feed.close();
    expect(feed.stats()).toMatchObject({ offered: 11, delivered: 10, inFlight: 0 });
    expect(feed.stats().dropped.closed).toBe(1);
    expect(imbalance(feed.stats())).toBe(0);
    expect(feed.memoryPlan().totalBytes).toBeGreaterThan(0);
    expect(closed).toBe(1);
    expect(thrown(() => feed.share()).code).toBe('ERR_FEED_CLOSED');
    expect(thrown(() => feed.address).code).toBe('ERR_FEED_CLOSED');
    expect(thrown(() => feed.push(Buffer.of(1))).code).toBe('ERR_FEED_CLOSED');
    expect(await rejected(feed.consumeWith({ filename: 'x' }))).toMatchObject({ code: 'ERR_FEED_CLOSED' });
    await feed.drain();
    feed.unref().ref();
  });

  test('drops what nobody reads', async () => {
    const feed = makeFeed();
    feed.push(Buffer.of(1));
    await feed.close();
    expect(feed.stats()).toMatchObject({ offered: 1, inFlight: 0 });
    expect(feed.stats().dropped.closed).toBe(1);
  });

  test('waits timeoutMs at most: what was begun has failed, the rest is dropped', async () => {
    const feed = makeFeed();
    feed.consume((batch) => {
      batch.bytes(1);
      return new Promise<void>(() => {});
    });
    for (let i = 0; i < 5; i++) feed.push(Buffer.of(i));
    while (feed.stats().depth > 0) await turn();
    feed.push(Buffer.of(6));
    await feed.close({ timeoutMs: 1 });
    expect(feed.stats()).toMatchObject({ failed: 2, inFlight: 0 });
    expect(feed.stats().dropped.closed).toBe(4);
    expect((await rejected(Promise.resolve().then(() => makeFeed().close({ timeoutMs: -1 })))).code).toBe(
      'ERR_OUT_OF_RANGE',
    );
  });

  test('inside of a batch ends it', async () => {
    const feed = makeFeed();
    let closing: Promise<void> | undefined;
    feed.consume(() => void (closing = feed.close({ timeoutMs: 0 })));
    feed.push(Buffer.of(1));
    while (closing === undefined) await turn();
    await closing;
    expect(feed.stats().inFlight).toBe(0);
    expect(imbalance(feed.stats())).toBe(0);
  });

  test('hazard 9: takes the view of the memory away', async () => {
    const feed = makeFeed();
    let view: DataView | undefined;
    feed.consume((batch) => void (view = batch.view));
    feed.push(Buffer.of(1));
    await feed.close();
    expect(() => view!.getUint8(0)).toThrow('detached');
  });

  test('comes with `await using`', async () => {
    let outside: Feed<undefined>;
    {
      await using feed = makeFeed();
      outside = feed;
      feed.consume(() => {});
      feed.push(Buffer.of(1));
    }
    expect(outside.stats().delivered).toBe(1);
  });
});
