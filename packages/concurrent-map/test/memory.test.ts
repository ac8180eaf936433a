import { readFileSync } from 'node:fs';
import { ConcurrentMap } from '@millrace/concurrent-map';
import { collectGarbage } from './collect-garbage';

const codeOf = (call: () => unknown): unknown => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code: unknown }).code;
  }
};

test('a map stays within maxBytes, and says ERR_MAP_FULL', () => {
  const options = { key: 'string', value: 'string', maxBytes: 1 << 20 } as const;
  using map = new ConcurrentMap(options);
  expect(ConcurrentMap.bytes(options)).toBeLessThanOrEqual(1 << 20);
  expect(map.stats().maxBytes).toBe(ConcurrentMap.bytes(options));
  let n = 0;
  while (codeOf(() => map.set(`key ${n}`, 'x'.repeat(n % 1000))) === undefined) n++;
  const large = 'x'.repeat(20_000);
  for (const store of [
    () => map.set('more', large),
    () => map.setIfAbsent('more', large),
    () => map.exchange('more', large),
    () => map.compareAndSet('more', undefined, large),
    () => map.update('more', () => large),
  ]) {
    expect(codeOf(store)).toBe('ERR_MAP_FULL');
  }
  expect(map.size).toBe(n);
  expect(map.has('more')).toBe(false);
  expect(map.stats().usedBytes).toBeLessThanOrEqual(1 << 20);
  expect(n * 500).toBeGreaterThan((1 << 20) * 0.6);
  map.clear();
  expect(codeOf(() => map.set('more', large))).toBeUndefined();
});

test('capacity bounds the entries', () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'f64', capacity: 3 });
  map.set(1, 1).set(2, 2).set(3, 3).set(3, 4);
  expect(codeOf(() => map.add(4, 1))).toBe('ERR_MAP_FULL');
  map.delete(1);
  expect(map.add(4, 1)).toBe(1);
  expect(map.size).toBe(3);
});

test("evict: 'lru' drops what was used the longest ago", () => {
  using map = new ConcurrentMap({ key: 'string', value: 'json', capacity: 3, evict: 'lru' });
  map.set('a', 1).set('b', 2).set('c', 3);
  map.get('a');
  map.set('d', 4);
  expect([...map.keys()].sort()).toEqual(['a', 'c', 'd']);
  map.has('c'); // Not a use.
  map.update('a', () => 5);
  map.set('e', 5);
  expect([...map.keys()].sort()).toEqual(['a', 'd', 'e']);
  expect(map.stats().evicted).toBe(2);
});

test("evict: 'lru' never refuses, whatever the mix of sizes", () => {
  using map = new ConcurrentMap({ key: 'u64', value: 'bytes', maxBytes: 1 << 20, evict: 'lru' });
  for (let i = 0; i < 20_000; i++) {
    const value = Buffer.alloc(i % 100 === 0 ? 50_000 : i < 10_000 ? 40 : 2000, i);
    map.set(i, value);
    expect(map.get(i)!.equals(value)).toBe(true);
  }
  expect(map.stats().usedBytes).toBeLessThanOrEqual(1 << 20);
});

test('a map that nobody can reach gives its memory back', async () => {
  const before = mappings();
  (() => {
    for (let i = 0; i < 20; i++) new ConcurrentMap({ key: 'u64', value: 'f64' }).set(1, 1);
  })();
  expect(mappings()).toBeGreaterThanOrEqual(before + 20);
  while (mappings() > before) await collectGarbage();
});

/** How many maps of the default size this process has. What they have beyond 4 MiB is a mapping of its own. */
function mappings(): number {
  const hugeFrom = 4n << 20n;
  const size = BigInt(Math.floor(ConcurrentMap.bytes({ key: 'u64', value: 'f64' }) / 4096) * 4096);
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .map((line) => /^(\w+)-(\w+) /.exec(line))
    .map((match) => match && BigInt(`0x${match[2]}`) - BigInt(`0x${match[1]}`))
    .filter((length) => length === size || length === size - hugeFrom).length;
}
