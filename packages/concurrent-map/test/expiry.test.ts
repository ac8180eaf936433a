import { ConcurrentMap } from '@millrace/concurrent-map';

/** Waits for the thing itself; jest's own limit ends a wait for nothing. */
async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise(setImmediate);
}

describe.each(['u64', 'string'] as const)('keys of kind %s', (kind) => {
  const a = (kind === 'u64' ? 1n : 'a') as never;
  const b = (kind === 'u64' ? 2n : 'b') as never;
  let map: ConcurrentMap<'string' | 'u64', 'f64'>;
  beforeEach(() => {
    map = new ConcurrentMap<'string' | 'u64', 'f64'>({ key: kind, value: 'f64' });
  });
  afterEach(() => map.close());

  test('an entry is gone after its time, never before', async () => {
    const begun = performance.now();
    map.set(a, 1, { ttlMs: 30 }).set(b, 2);
    await until(() => map.get(a) === undefined);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(30);
    expect(map.has(a)).toBe(false);
    expect(map.ttlMs(a)).toBeUndefined();
    expect(map.size).toBe(1);
    expect([...map.keys()]).toEqual([b]);
    expect(map.setIfAbsent(a, 3)).toBe(true);
    expect(map.get(a)).toBe(3);
  });

  test('size counts no entry whose time has passed', async () => {
    for (let i = 0; i < 1000; i++) map.set(kind === 'u64' ? BigInt(i) : `${i}`, i, { ttlMs: 1 + (i % 20) });
    map.set(kind === 'u64' ? 5000n : 'stays', 1, { ttlMs: 3_600_000 });
    await until(() => map.size === 1);
    expect(map.stats().expired).toBe(1000);
  });

  test('times to live are read, set, kept and taken away', () => {
    expect(map.ttlMs(a)).toBeUndefined();
    expect(map.expire(a, 1000)).toBe(false);
    expect(map.persist(a)).toBe(false);
    map.set(a, 1);
    expect(map.ttlMs(a)).toBe(Infinity);
    expect(map.persist(a)).toBe(false);
    expect(map.expire(a, 60_000)).toBe(true);
    expect(map.ttlMs(a)).toBeLessThanOrEqual(60_000);
    expect(map.ttlMs(a)).toBeGreaterThan(30_000);
    map.set(a, 2, { ttlMs: 'keep' });
    expect(map.ttlMs(a)).toBeLessThanOrEqual(60_000);
    map.set(a, 2, { ttlMs: undefined });
    expect(map.ttlMs(a)).toBe(Infinity);
    map.set(b, 1, { ttlMs: 'keep' });
    expect(map.ttlMs(b)).toBe(Infinity);
    map.exchange(a, 3, { ttlMs: 60_000 });
    expect(map.persist(a)).toBe(true);
    expect(map.ttlMs(a)).toBe(Infinity);
    expect(map.expire(a, 0)).toBe(true);
    expect(map.has(a)).toBe(false);
    expect(map.expire(a, 0)).toBe(false);
    map.set(a, 1, { ttlMs: 10_000_000_000_000 });
    expect(map.ttlMs(a)).toBeGreaterThan(9_999_999_000_000);
  });

  test('compareAndSet and update keep the time to live unless told otherwise', () => {
    map.set(a, 1, { ttlMs: 60_000 });
    map.compareAndSet(a, 1, 2);
    expect(map.ttlMs(a)).toBeLessThanOrEqual(60_000);
    map.update(a, () => 3);
    expect(map.ttlMs(a)).toBeLessThanOrEqual(60_000);
    map.compareAndSet(a, 3, 4, { ttlMs: 120_000 });
    expect(map.ttlMs(a)).toBeGreaterThan(60_000);
    map.update(a, () => 5, { ttlMs: 30_000 });
    expect(map.ttlMs(a)).toBeLessThanOrEqual(30_000);
    expect(map.setIfPresent(a, 6)).toBe(true);
    expect(map.ttlMs(a)).toBe(Infinity);
  });
});

test('maps that are large or shared forget too: what has expired makes room', async () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes', maxBytes: 1 << 18 });
  const value = Buffer.alloc(1000);
  let n = 0;
  for (;;) {
    try {
      map.set(`${n}`, value, { ttlMs: 5 });
      n++;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_MAP_FULL' });
      break;
    }
  }
  await until(() => {
    try {
      return map.set('more', value).has('more');
    } catch {
      return false;
    }
  });
});
