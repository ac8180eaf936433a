import { ConcurrentMap, type ConnectionKey, type KeyKind, type ValueKind } from '@millrace/concurrent-map';

type AnyMap = ConcurrentMap<KeyKind, ValueKind>;

const KEYS: Record<KeyKind, unknown[]> = {
  string: ['', 'a', 'last:BTCUSDT', 'ÿ\0\n', 'ключ', '😀', '\ud800', '\ufffd', 'k'.repeat(4000), 'ш'.repeat(2000)],
  u64: [0n, 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 63n, 2n ** 64n - 1n],
  'fd-sequence': [
    { fd: 0, sequence: 0 },
    { fd: 7, sequence: 1 },
    { fd: 1, sequence: 7 },
    { fd: 2 ** 32 - 1, sequence: 2 ** 32 - 1 },
  ],
};
const VALUES: Record<ValueKind, unknown[]> = {
  bytes: [
    Buffer.from('value'),
    Buffer.alloc(0),
    Buffer.alloc(9000, 1),
    Buffer.alloc(40_000, 2),
    Buffer.alloc(300_000, 3),
  ],
  string: ['', 'ascii', 'latin ÿ', 'ш', '\ud800', 'long '.repeat(50_000), 'длинный'.repeat(50_000)],
  f64: [0, -0, 1.5, NaN, Infinity, -1e300],
  i64: [0n, -1n, 1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n],
  json: [null, true, 'text', 0, { a: [1, { b: 'ш' }] }, []],
};
/** What jest compares quickly. */
const plain = (value: unknown): unknown => (Buffer.isBuffer(value) ? value.toString('latin1') : value);
const kinds = (Object.keys(KEYS) as KeyKind[]).flatMap((key) =>
  (Object.keys(VALUES) as ValueKind[]).map((value) => ({ key, value })),
);

describe.each(kinds)('a map of $key to $value', ({ key, value }) => {
  let map: AnyMap;
  beforeEach(() => {
    map = new ConcurrentMap({ key, value });
  });
  afterEach(() => map.close());

  const keys = KEYS[key] as string[];
  const values = VALUES[value] as Uint8Array[];
  const [k] = keys as [string];
  const [v, w] = values as [Uint8Array, Uint8Array];

  test('answers every value as it was given', () => {
    for (const one of values) {
      map.set(k, one);
      expect(map.get(k)).toStrictEqual(one);
      expect(map.exchange(k, v)).toStrictEqual(one);
      expect(map.get(k)).toStrictEqual(v);
    }
  });

  test('tells every key from the others', () => {
    for (const one of keys) expect(map.has(one)).toBe(false);
    const expected = keys.map((_, i) => values[i % values.length]!);
    keys.forEach((one, i) => map.set(one, expected[i]!));
    keys.forEach((one, i) => expect(plain(map.get(one))).toEqual(plain(expected[i])));
    expect(map.size).toBe(keys.length);
    expect(new Set(map.keys())).toEqual(new Set(keys));
    const entries = [...map].map(([one, held]) => [one, plain(held)] as const);
    expect(new Map(entries)).toEqual(new Map(keys.map((one, i) => [one, plain(expected[i])])));
    expect([...map.values()].map(plain)).toEqual(entries.map(([, held]) => held));
    expect(map.getMany(keys).map(plain)).toEqual(expected.map(plain));
  });

  test('deletes', () => {
    expect(map.delete(k)).toBe(false);
    map.set(k, v);
    expect(map.delete(k)).toBe(true);
    expect(map.get(k)).toBeUndefined();
    expect(map.exchange(k, v)).toBeUndefined();
    map.clear();
    expect(map.size).toBe(0);
  });

  test('stores on conditions', () => {
    expect(map.setIfPresent(k, v)).toBe(false);
    expect(map.setIfAbsent(k, v)).toBe(true);
    expect(map.setIfAbsent(k, w)).toBe(false);
    expect(map.get(k)).toStrictEqual(v);
    expect(map.setIfPresent(k, w)).toBe(true);
    expect(map.compareAndSet(k, v, w)).toBe(false);
    expect(map.compareAndSet(k, undefined, v)).toBe(false);
    expect(map.compareAndSet(k, w, v)).toBe(true);
    expect(map.deleteIf(k, w)).toBe(false);
    expect(map.get(k)).toStrictEqual(v);
    expect(map.deleteIf(k, v)).toBe(true);
    expect(map.compareAndSet(k, v, w)).toBe(false);
    expect(map.compareAndSet(k, undefined, w)).toBe(true);
    expect(map.get(k)).toStrictEqual(w);
  });

  test('updates', () => {
    expect(map.update(k, () => undefined)).toBeUndefined();
    expect(map.update(k, (old) => (old === undefined ? v : w))).toStrictEqual(v);
    expect(map.update(k, (old) => (old === undefined ? v : w))).toStrictEqual(w);
    expect(map.get(k)).toStrictEqual(w);
    expect(map.update(k, () => undefined)).toBeUndefined();
    expect(map.has(k)).toBe(false);
  });
});

test('i64 takes numbers, u64 keys too', () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'i64' });
  for (const n of [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]) {
    map.set(Math.abs(n), n);
    expect(map.get(BigInt(Math.abs(n)))).toBe(BigInt(n));
    expect(map.compareAndSet(Math.abs(n), n, 7)).toBe(true);
  }
});

test('a connection is a key', () => {
  using map = new ConcurrentMap({ key: 'fd-sequence', value: 'f64' });
  class Connection implements ConnectionKey {
    get fd(): number {
      return 9;
    }
    get sequence(): number {
      return 3;
    }
  }
  map.set(new Connection(), 1);
  expect(map.get({ fd: 9, sequence: 3 })).toBe(1);
});

test('add counts a missing key as 0, answers the sum, and keeps the time to live', () => {
  using reals = new ConcurrentMap({ key: 'string', value: 'f64' });
  expect(reals.add('x', 1.5)).toBe(1.5);
  expect(reals.add('x', -0.5)).toBe(1);
  using integers = new ConcurrentMap({ key: 'u64', value: 'i64' });
  expect(integers.add(1, 5)).toBe(5n);
  integers.expire(1, 60_000);
  expect(integers.add(1, -7n)).toBe(-2n);
  expect(integers.ttlMs(1)).toBeLessThanOrEqual(60_000);
});

test('update calls its function again when another writer was faster', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes' });
  map.set('k', Buffer.from('a'));
  const seen: string[] = [];
  const result = map.update('k', (old) => {
    seen.push(String(old));
    if (seen.length === 1) map.set('k', Buffer.from('b'));
    // What it gets is its own: writing there must not look like another writer.
    old![0] = 0x7a;
    return Buffer.concat([old!, Buffer.from('!')]);
  });
  expect(seen).toEqual(['a', 'b']);
  expect(String(result)).toBe('z!');
  expect(String(map.get('k'))).toBe('z!');
});

test('update passes on what its function throws, and leaves the entry alone', () => {
  using map = new ConcurrentMap<'string', 'json', { n: number }>({ key: 'string', value: 'json' });
  map.set('k', { n: 1 });
  expect(() =>
    map.update('k', () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(map.get('k')).toEqual({ n: 1 });
});

test('update of a NaN with unusual bits ends', () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'f64' });
  map.set(1, Infinity);
  map.add(1, -Infinity);
  expect(map.update(1, (old) => (Number.isNaN(old) ? 1 : 2))).toBe(1);
});

test('code of the user that runs while a value is prepared may use maps', () => {
  using map = new ConcurrentMap<'u64', 'json'>({ key: 'u64', value: 'json' });
  using other = new ConcurrentMap({ key: 'u64', value: 'f64' });
  const nosy = {
    toJSON: () => {
      other.set(99, 1);
      return 'nosy';
    },
  };
  map.set(1, nosy, {
    get ttlMs() {
      other.set(98, 1, { ttlMs: 5 });
      return undefined;
    },
  });
  expect(map.get(1)).toBe('nosy');
  expect(map.ttlMs(1)).toBe(Infinity);
  expect(map.size).toBe(1);
});

test('getMany reads typed arrays in one call', () => {
  using reals = new ConcurrentMap({ key: 'u64', value: 'f64' });
  using integers = new ConcurrentMap({ key: 'u64', value: 'i64' });
  const keys = BigUint64Array.from({ length: 1000 }, (_, i) => BigInt(i));
  for (let i = 0; i < 1000; i += 2) {
    reals.set(i, i / 2);
    integers.set(i, -i);
  }
  const found = new Float64Array(1001).fill(7);
  expect(reals.getMany(keys, found)).toBe(500);
  expect(found[10]).toBe(5);
  expect(found[11]).toBeNaN();
  expect(found[1000]).toBe(7);
  const counts = new BigInt64Array(1000).fill(7n);
  expect(integers.getMany(keys, counts)).toBe(500);
  expect(counts[10]).toBe(-10n);
  expect(counts[11]).toBe(0n);
});

test('getInto copies without making a Buffer, if it fits', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes' });
  map.set('k', Buffer.from('hello'));
  const target = Buffer.alloc(8, '.');
  expect(map.getInto('k', target, 2)).toBe(5);
  expect(target.toString()).toBe('..hello.');
  expect(map.getInto('k', target, 4)).toBe(5);
  expect(target.toString()).toBe('..hello.');
  expect(map.getInto('none', target)).toBe(-1);
});

test('values of bytes are the caller’s own, and survive what happens to others', () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'bytes' });
  for (let i = 0; i < 3000; i++) map.set(i, Buffer.alloc(i % 300, i));
  const kept = Array.from({ length: 3000 }, (_, i) => map.get(i)!);
  kept.forEach((bytes, i) => expect(bytes.equals(Buffer.alloc(i % 300, i))).toBe(true));
  kept[5]!.fill(0);
  expect(map.get(5)!.equals(Buffer.alloc(5, 5))).toBe(true);
});

test('memory of answers that is transferred away is not written to again', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes' });
  map.set('k', Buffer.from('value'));
  const first = map.get('k')!;
  const buffer = first.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
  try {
    structuredClone(first, { transfer: [buffer] });
  } catch {
    // Marked as untransferable.
  }
  buffer.transfer?.();
  expect(String(map.get('k'))).toBe('value');
});
