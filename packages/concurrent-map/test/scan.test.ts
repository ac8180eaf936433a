import { ConcurrentMap } from '@millrace/concurrent-map';

function scanAll(map: ConcurrentMap<'string', 'f64'>, count: number, between?: () => void): string[] {
  const found: string[] = [];
  let cursor = 0;
  do {
    const page = map.scan(cursor, count);
    expect(page.keys.length).toBeLessThanOrEqual(count + 1);
    found.push(...page.keys);
    cursor = page.cursor;
    between?.();
  } while (cursor !== 0);
  return found;
}

test('scan answers every key, once', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'f64' });
  expect(map.scan(0, 10)).toEqual({ cursor: 0, keys: [] });
  const keys = Array.from({ length: 5000 }, (_, i) => `key:${i}`);
  for (const key of keys) map.set(key, 1);
  for (const count of [1, 10, 2000, 100_000]) expect(scanAll(map, count).sort()).toEqual([...keys].sort());
});

test('a key that is there all the time is answered once while the map grows and shrinks', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'f64' });
  const stay = Array.from({ length: 2000 }, (_, i) => `stay:${i}`);
  for (const key of stay) map.set(key, 1);
  let n = 0;
  const grow = (): void => {
    for (let i = 0; i < 3000 && n < 100_000; i++) map.set(`guest:${n++}`, 1);
  };
  const shrink = (): void => {
    for (let i = 0; i < 3000 && n > 0; i++) map.delete(`guest:${--n}`);
  };
  for (const between of [grow, shrink, () => (Math.random() < 0.5 ? grow() : shrink())]) {
    const found = scanAll(map, 100, between).filter((key) => key.startsWith('stay:'));
    expect(found.sort()).toEqual([...stay].sort());
  }
});

test('iteration is weakly consistent: it sees changes or not, and no entry twice', () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'i64' });
  for (let i = 0; i < 1000; i++) map.set(i, i);
  const seen = new Map<bigint, bigint>();
  for (const [key, value] of map) {
    expect(seen.has(key)).toBe(false);
    seen.set(key, value);
    map.delete(key);
    map.set(key + 10_000n, value);
  }
  for (let i = 0n; i < 1000n; i++) expect(seen.get(i)).toBe(i);
});

test('large values come through iteration', () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes' });
  for (let i = 0; i < 10; i++) map.set(`${i}`, Buffer.alloc(i * 100_000, i));
  let entries = 0;
  for (const [key, value] of map.entries()) {
    expect(value.equals(Buffer.alloc(Number(key) * 100_000, Number(key)))).toBe(true);
    entries++;
  }
  expect(entries).toBe(10);
});
