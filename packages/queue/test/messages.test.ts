import { MpmcQueue, SpscRing } from '@millrace/queue';
import { codeOf } from './thrown';

const text = (message: Uint8Array | undefined): string | undefined =>
  message === undefined ? undefined : Buffer.from(message).toString();

describe.each([
  ['SpscRing', () => new SpscRing({ capacity: 1024, maxMessageBytes: 100 })],
  ['MpmcQueue', () => new MpmcQueue({ capacity: 8, messageBytes: 100 })],
  ['MpmcQueue of small messages', () => new MpmcQueue({ capacity: 8, messageBytes: 7 })],
])('%s', (_, make) => {
  test('gives out what went in, in order, as copies', () => {
    using queue = make();
    const bytes = Buffer.from('one');
    expect(queue.tryPush(bytes)).toBe(true);
    bytes.fill('x');
    expect(queue.tryPush(new Uint8Array([1, 2]))).toBe(true);
    expect(queue.tryPush(Buffer.alloc(0))).toBe(true);
    expect(queue.size).toBe(3);
    const one = queue.tryPop()!;
    expect(Buffer.isBuffer(one)).toBe(true);
    expect([...queue.tryPop()!]).toEqual([1, 2]);
    expect(text(one)).toBe('one');
    expect(queue.tryPop()).toHaveLength(0);
    expect(queue.tryPop()).toBeUndefined();
  });

  test('pops into memory of the caller’s, and leaves what does not fit', () => {
    using queue = make();
    const target = Buffer.alloc(4);
    expect(queue.tryPopInto(target)).toBe(-1);
    queue.tryPush(Buffer.from('fives'));
    expect(codeOf(() => queue.tryPopInto(target))).toBe('ERR_OUT_OF_RANGE');
    expect(queue.size).toBe(1);
    const larger = Buffer.alloc(7);
    expect(queue.tryPopInto(larger)).toBe(5);
    expect(larger.toString('latin1')).toBe('fives\0\0');
    expect(queue.size).toBe(0);
  });

  test('moves batches', () => {
    using queue = make();
    expect(queue.pushMany(['a', 'bb', ''].map((one) => Buffer.from(one)))).toBe(3);
    const seen: string[] = [];
    expect(queue.popMany(2, (bytes) => seen.push(text(bytes)!))).toBe(2);
    expect(queue.popMany(9, (bytes) => seen.push(text(bytes)!))).toBe(1);
    expect(queue.popMany(9, () => undefined)).toBe(0);
    expect(queue.popMany(0, () => undefined)).toBe(0);
    expect(seen).toEqual(['a', 'bb', '']);
  });

  test('a visit may use the queue, and one that throws keeps nobody from the rest', () => {
    using queue = make();
    queue.pushMany(['a', 'b', 'c'].map((one) => Buffer.from(one)));
    const seen: string[] = [];
    const visit = (bytes: Uint8Array): void => {
      if (seen.length === 0) {
        queue.tryPush(Buffer.from('nested'.slice(0, 6)));
        queue.popMany(1, (inner) => seen.push(text(inner)!));
      }
      seen.push(text(bytes)!);
      throw new Error(text(bytes));
    };
    expect(() => queue.popMany(3, visit)).toThrow('a');
    expect(seen).toEqual(['nested', 'a', 'b', 'c']);
    expect(queue.stats().popped).toBe(4);
  });

  test('a visit that gives its message away keeps nobody from the rest', () => {
    using queue = make();
    queue.pushMany(['a', 'b', 'c'].map((one) => Buffer.from(one)));
    let seen = '';
    queue.popMany(3, (bytes) => {
      seen += text(bytes);
      try {
        structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
      } catch (error) {
        expect((error as Error).name).toBe('DataCloneError');
      }
    });
    expect(seen).toBe('abc');
  });

  test('ends: closed, drained, ended', () => {
    using queue = make();
    queue.tryPush(Buffer.from('last'));
    expect([queue.closed, queue.ended]).toEqual([false, false]);
    queue.close();
    queue.close();
    expect([queue.closed, queue.ended]).toEqual([true, false]);
    expect(queue.tryPush(Buffer.from('late'))).toBe(false);
    expect(queue.pushMany([Buffer.from('late')])).toBe(0);
    expect(text(queue.tryPop())).toBe('last');
    expect(queue.ended).toBe(true);
    expect(queue.popSync()).toBeUndefined();
    expect(queue.stats().dropped.closed).toBe(2);
  });

  test('of a detached handle only what cannot mislead is left', async () => {
    const queue = make();
    queue.tryPush(Buffer.from('a'));
    queue.detach();
    queue.detach();
    queue.close();
    expect([queue.closed, queue.ended, queue.size]).toEqual([true, true, 0]);
    expect(queue.stats().pushed).toBe(1);
    for (const use of [
      () => queue.tryPush(Buffer.of(1)),
      () => queue.pushMany([Buffer.of(1)]),
      () => queue.tryPop(),
      () => queue.tryPopInto(Buffer.alloc(9)),
      () => queue.popMany(1, () => undefined),
      () => queue.popSync(0),
      () => queue.share(),
      () => queue.address,
    ]) {
      expect(codeOf(use)).toBe('ERR_QUEUE_CLOSED');
    }
    await expect(queue.pop()).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
    await expect(queue.push(Buffer.of(1))).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });

  test('says what was wrong with an argument', () => {
    using queue = make();
    expect(codeOf(() => queue.tryPush('text' as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.tryPush(new Uint16Array(2) as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.tryPush(Buffer.alloc(101)))).toBe('ERR_MESSAGE_TOO_LARGE');
    expect(codeOf(() => queue.pushMany([Buffer.of(1), Buffer.alloc(101)]))).toBe('ERR_MESSAGE_TOO_LARGE');
    expect(codeOf(() => queue.pushMany([Buffer.of(1), null as never]))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.pushMany(new Set() as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.tryPopInto([] as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.popMany(-1, () => undefined))).toBe('ERR_OUT_OF_RANGE');
    expect(codeOf(() => queue.popMany(1, undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.popSync(-1))).toBe('ERR_OUT_OF_RANGE');
    expect(queue.size).toBe(0);
  });
});

test('messages of any size come whole, one by one and in batches', () => {
  using ring = new SpscRing({ capacity: 1 << 20 });
  using queue = new MpmcQueue({ capacity: 4, messageBytes: 1 << 19 });
  for (const one of [ring, queue]) {
    for (const length of [0, 1, 8191, 8192, 32_768, 40_000, 65_536, 200_000, 500_000]) {
      const message = Buffer.alloc(length, length % 251);
      expect(one.pushMany([message])).toBe(1);
      expect(one.tryPop()!.equals(message)).toBe(true);
      expect(one.tryPush(message)).toBe(true);
      let seen = Buffer.alloc(0);
      expect(one.popMany(5, (bytes) => (seen = Buffer.from(bytes)))).toBe(1);
      expect(seen.equals(message)).toBe(true);
      expect(one.tryPush(message)).toBe(true);
      expect(one.popSync()!.equals(message)).toBe(true);
    }
  }
});

test('a thousand small Buffers do not overwrite each other', () => {
  using queue = new MpmcQueue({ capacity: 2048, messageBytes: 200 });
  const sent = Array.from({ length: 2000 }, (_, i) => Buffer.alloc(i % 200, i));
  expect(queue.pushMany(sent)).toBe(2000);
  const got = sent.map(() => queue.tryPop()!);
  expect(got.every((message, i) => message.equals(sent[i]!))).toBe(true);
});

describe('options', () => {
  test.each<[unknown, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [{ capacity: 1, messageBytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 2 ** 26 + 1, messageBytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 2.5, messageBytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 2, messageBytes: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 2 }, 'ERR_INVALID_ARG_TYPE'],
    [{ capacity: 2, messageBytes: 1, overflow: 'block' }, 'ERR_INVALID_ARG_VALUE'],
    [{ capacity: 2 ** 20, messageBytes: 2 ** 30 }, 'ERR_QUEUE_MEMORY'],
  ])('of a MpmcQueue: %j is %s', (options, code) => {
    expect(codeOf(() => new MpmcQueue(options as never))).toBe(code);
  });

  test.each<[unknown, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{ capacity: 63 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 2 ** 30 + 1 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 1000, maxMessageBytes: 505 }, 'ERR_OUT_OF_RANGE'],
    [{ capacity: 1000, maxMessageBytes: 0 }, 'ERR_OUT_OF_RANGE'],
  ])('of a SpscRing: %j is %s', (options, code) => {
    expect(codeOf(() => new SpscRing(options as never))).toBe(code);
  });

  test('capacities are rounded up to a power of two, and the extremes work', () => {
    using queue = new MpmcQueue({ capacity: 1000, messageBytes: 0 });
    expect(queue.capacity).toBe(1024);
    using smallest = new MpmcQueue({ capacity: 2, messageBytes: 0 });
    expect([1, 2, 3].map(() => smallest.tryPush(Buffer.alloc(0)))).toEqual([true, true, false]);
    using ring = new SpscRing({ capacity: 1000, maxMessageBytes: 504 });
    expect(ring.capacity).toBe(1024);
    using tiny = new SpscRing({ capacity: 64 });
    expect(tiny.tryPush(Buffer.alloc(24))).toBe(true);
    expect(codeOf(() => tiny.tryPush(Buffer.alloc(25)))).toBe('ERR_MESSAGE_TOO_LARGE');
    using huge = new SpscRing({ capacity: 2 ** 30 });
    expect(huge.tryPush(Buffer.alloc(1 << 20, 7))).toBe(true);
    expect(huge.tryPop()!.every((byte) => byte === 7)).toBe(true);
  });
});

describe('overflow', () => {
  const push = (queue: MpmcQueue): boolean[] => ['a', 'b', 'c', 'd'].map((one) => queue.tryPush(Buffer.from(one)));
  const left = (queue: MpmcQueue): string => {
    let all = '';
    queue.popMany(9, (bytes) => (all += text(bytes)));
    return all;
  };

  test('reject', () => {
    using queue = new MpmcQueue({ capacity: 2, messageBytes: 8 });
    expect(push(queue)).toEqual([true, true, false, false]);
    expect(queue.stats()).toEqual({
      pushed: 2,
      popped: 0,
      dropped: { newest: 0, oldest: 0, closed: 0 },
      rejected: 2,
      depth: 2,
      highWater: 2,
    });
    expect(left(queue)).toBe('ab');
  });

  test.each([
    ['a MpmcQueue', () => new MpmcQueue({ capacity: 512, messageBytes: 8 })],
    ['a SpscRing', () => new SpscRing({ capacity: 512 * 16 })],
  ])('the messages of pushMany() that go into %s are the first ones, also if there is room again', (_, make) => {
    using queue = make();
    const list = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i}`.padStart(8)));
    let reads = 0;
    const late = list[1024]!;
    Object.defineProperty(list, 1024, {
      get() {
        // Between the first native call and the second one, as another thread would.
        if (reads++ > 0) queue.popMany(100, () => undefined);
        return late;
      },
    });
    const pushed = queue.pushMany(list);
    let expected = queue.stats().popped;
    queue.popMany(3000, (bytes) => expect(Number(text(bytes))).toBe(expected++));
    expect(pushed).toBe(expected);
    expect(queue.stats()).toMatchObject({ pushed, rejected: 3000 - pushed });
  });

  test('drop-newest', async () => {
    using queue = new MpmcQueue({ capacity: 2, messageBytes: 8, overflow: 'drop-newest' });
    expect(push(queue)).toEqual([true, true, false, false]);
    await queue.push(Buffer.from('e'));
    expect(queue.stats()).toMatchObject({ pushed: 2, dropped: { newest: 3, oldest: 0 }, rejected: 0 });
    expect(left(queue)).toBe('ab');
  });

  test('drop-oldest', async () => {
    using queue = new MpmcQueue({ capacity: 2, messageBytes: 8, overflow: 'drop-oldest' });
    expect(push(queue)).toEqual([true, true, true, true]);
    await queue.push(Buffer.from('e'));
    expect(queue.pushMany([Buffer.from('f')])).toBe(1);
    expect(left(queue)).toBe('ef');
    expect(queue.stats()).toMatchObject({ pushed: 6, popped: 2, dropped: { newest: 0, oldest: 4 }, rejected: 0 });
  });
});

describe('a SpscRing written in place', () => {
  test('reserve, write, commit less', () => {
    using ring = new SpscRing({ capacity: 128 });
    for (let round = 0; round < 50; round++) {
      const offset = ring.tryReserve(20);
      expect(offset % 8).toBe(0);
      ring.memory.set(Buffer.from(`round ${round}`), offset);
      ring.commit(6 + `${round}`.length);
      expect(text(ring.tryPop())).toBe(`round ${round}`);
    }
  });

  test('is refused when full, closed, or out of turn', () => {
    const ring = new SpscRing({ capacity: 64 });
    expect(codeOf(() => ring.commit(0))).toBe('ERR_QUEUE_NO_RESERVATION');
    expect(codeOf(() => ring.tryReserve(25))).toBe('ERR_MESSAGE_TOO_LARGE');
    expect(ring.tryReserve(8)).toBe(8);
    expect(codeOf(() => ring.commit(9))).toBe('ERR_OUT_OF_RANGE');
    ring.commit(8);
    expect(ring.tryReserve(24)).toBeGreaterThan(0);
    ring.commit(24);
    expect(ring.tryReserve(24)).toBe(-1);
    expect(ring.tryReserve(0)).toBeGreaterThan(0);
    ring.close();
    expect(codeOf(() => ring.commit(0))).toBe('ERR_QUEUE_CLOSED');
    expect(ring.tryReserve(0)).toBe(-1);
    const { memory } = ring;
    ring.detach();
    expect(memory).toHaveLength(0);
    expect(codeOf(() => ring.tryReserve(1))).toBe('ERR_QUEUE_CLOSED');
    expect(codeOf(() => ring.commit(1))).toBe('ERR_QUEUE_CLOSED');
  });
});
