import { ConcurrentMap } from '@millrace/concurrent-map';
import { Keyspace, MAX_VALUE_BYTES } from '../../dist/gateway/keyspace.js';

let map: ConcurrentMap<'string', 'bytes'>;
let keyspace: Keyspace;

beforeEach(() => {
  map = new ConcurrentMap({ key: 'string', value: 'bytes', maxBytes: 64 * 1024 * 1024 });
  keyspace = new Keyspace(map);
});

afterEach(() => {
  map.close();
});

const text = (key: string): string | undefined => keyspace.get(key)?.toString('latin1');
const put = (key: string, value: string): void => keyspace.put(key, Buffer.from(value, 'latin1'));

test('names and values are bytes', () => {
  const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  put(every, every);
  expect(text(every)).toBe(every);
  expect([...keyspace.keys()]).toEqual([every]);
});

test('put ends the time to live', () => {
  put('k', 'a');
  keyspace.expire('k', 60_000, undefined);
  put('k', 'b');
  expect(keyspace.ttlMs('k')).toBe(-1);
});

test.each([
  [undefined, { done: true, old: 'a' }, 'b'],
  ['absent', { done: false, old: 'a' }, 'a'],
  ['present', { done: true, old: 'a' }, 'b'],
] as const)('set, condition %s, where there is a value', (condition, { done, old }, after) => {
  put('k', 'a');
  const outcome = keyspace.set('k', Buffer.from('b'), { condition, wantsOld: true });
  expect({ done: outcome.done, old: outcome.old?.toString() }).toEqual({ done, old });
  expect(text('k')).toBe(after);
});

test.each([
  [undefined, true],
  ['absent', true],
  ['present', false],
] as const)('set, condition %s, where there is none', (condition, done) => {
  expect(keyspace.set('k', Buffer.from('b'), { condition })).toEqual({ done, old: undefined });
  expect(keyspace.has('k')).toBe(done);
});

test.each([
  [undefined, true],
  ['present', true],
  ['present', false],
] as const)('set, condition %s, wants old %s, and the time to live', (condition, wantsOld) => {
  put('k', 'a');
  keyspace.set('k', Buffer.from('b'), { condition, wantsOld, ttlMs: 60_000 });
  expect(keyspace.ttlMs('k')).toBeGreaterThan(30_000);
  keyspace.set('k', Buffer.from('c'), { condition, wantsOld, ttlMs: 'keep' });
  expect(keyspace.ttlMs('k')).toBeGreaterThan(30_000);
  keyspace.set('k', Buffer.from('d'), { condition, wantsOld });
  expect(keyspace.ttlMs('k')).toBe(-1);
  expect(text('k')).toBe('d');
});

test('increment and append keep the time to live', () => {
  expect(keyspace.increment('n', 5)).toBe(5);
  keyspace.expire('n', 60_000, undefined);
  expect(keyspace.increment('n', -7)).toBe(-2);
  expect(keyspace.append('n', Buffer.from('0'))).toBe(3);
  expect(text('n')).toBe('-20');
  expect(keyspace.ttlMs('n')).toBeGreaterThan(30_000);
});

test('what cannot be added to stays as it is', () => {
  put('n', '9223372036854775807');
  expect(keyspace.increment('n', 1)).toBe('overflow');
  put('t', 'text');
  expect(keyspace.increment('t', 1)).toBe('not-integer');
  expect([text('n'), text('t')]).toEqual(['9223372036854775807', 'text']);
});

test('append refuses what would be too large to set', () => {
  keyspace.put('k', Buffer.alloc(MAX_VALUE_BYTES - 1));
  expect(keyspace.append('k', Buffer.from('ab'))).toBeUndefined();
  expect(keyspace.append('k', Buffer.from('a'))).toBe(MAX_VALUE_BYTES);
});

test('times to live', () => {
  expect(keyspace.ttlMs('k')).toBe(-2);
  expect(keyspace.expire('k', 1000, undefined)).toBe(false);
  put('k', 'a');
  expect(keyspace.persist('k')).toBe(false);
  expect(keyspace.expire('k', 60_000, (current) => current !== undefined)).toBe(false);
  expect(keyspace.expire('k', 60_000, (current) => current === undefined)).toBe(true);
  expect(keyspace.persist('k')).toBe(true);
  expect(keyspace.ttlMs('k')).toBe(-1);
  expect(keyspace.expire('k', 0, undefined)).toBe(true);
  expect(keyspace.has('k')).toBe(false);
});

test('a walk with small steps finds every key', () => {
  for (let i = 0; i < 1000; i++) put(`key-${i}`, 'x');
  const found = new Set<string>();
  let cursor = 0;
  do {
    const page = keyspace.scan(cursor, 7);
    for (const key of page.keys) found.add(key);
    cursor = page.cursor;
  } while (cursor !== 0);
  expect(found.size).toBe(1000);
});
