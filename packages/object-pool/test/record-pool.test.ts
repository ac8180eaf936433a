import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import { ObjectPool, record } from '@millrace/object-pool';

const All = record({
  ...{ a: 'u8', b: 'i8', c: 'u16', d: 'i16', e: 'u32', f: 'i32', g: 'u64', h: 'i64' },
  ...{ i: 'f32', j: 'f64', k: 'bool', l: 'ascii7', m: 'bytes3' },
});
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

test('hands out each record once, then none, and again after a release', () => {
  for (const capacity of [1, 2, 1000]) {
    using pool = new ObjectPool(record({ id: 'u32' }), { capacity });
    expect(pool.capacity).toBe(capacity);
    const views = Array.from({ length: capacity }, () => pool.acquire()!);
    expect(new Set(views.map((view) => view.index)).size).toBe(capacity);
    views.forEach((view) => (view.id = view.index));
    expect(pool.size).toBe(capacity);
    expect(pool.acquire()).toBeUndefined();
    expect(pool.acquireIndex()).toBe(-1);
    views.forEach((view) => expect(view.id).toBe(view.index));
    pool.release(views[0]!);
    expect(pool.acquireIndex()).toBe(views[0]!.index);
  }
});

test('a record has one view, whoever asks for it', () => {
  using pool = new ObjectPool(All, { capacity: 4 });
  const view = pool.acquire()!;
  expect(pool.at(view.index)).toBe(view);
  pool.release(view);
  expect(pool.acquire()).toBe(view);
});

test('fields keep what is written, at their extremes', () => {
  using pool = new ObjectPool(All, { capacity: 3 });
  const rows = [
    { a: 255, b: -128, c: 65535, d: -32768, e: 4294967295, f: -2147483648, g: 2n ** 64n - 1n, h: -(2n ** 63n) },
    { a: 0, b: 127, c: 0, d: 32767, e: 0, f: 2147483647, g: 0n, h: 2n ** 63n - 1n },
    { a: 1, b: -1, c: 2, d: -2, e: 3, f: -3, g: 2n ** 53n - 1n, h: -1n },
  ].map((row, i) => ({
    ...row,
    i: 0.5 * i,
    j: Math.PI * i,
    k: i === 1,
    l: 'x'.repeat(i * 3),
    m: Uint8Array.of(i, 7, 9),
  }));
  const views = rows.map((row) => Object.assign(pool.acquire()!, row));
  views.forEach((view, i) => {
    for (const [name, value] of Object.entries(rows[i]!)) {
      expect(view[name as 'a']).toEqual(value);
      expect(pool.column(name as 'a').get(view.index)).toEqual(value);
    }
  });
});

test('columns read and write what views do, and numbers without bigints', () => {
  using pool = new ObjectPool(All, { capacity: 3 });
  const view = pool.acquire()!;
  const { index } = view;
  pool.column('g').set(index, 2n ** 53n - 1n);
  pool.column('h').set(index, -(2n ** 53n));
  pool.column('k').set(index, true);
  pool.column('j').set(index, 2.5);
  expect([view.g, view.h, view.k, view.j]).toEqual([2n ** 53n - 1n, -(2n ** 53n), true, 2.5]);
  expect(pool.column('g').getNumber(index)).toBe(2 ** 53 - 1);
  expect(pool.column('h').getNumber(index)).toBe(-(2 ** 53));
  view.h = -1n;
  expect(pool.column('h').getNumber(index)).toBe(-1);
  expect(pool.column('k').getNumber(index)).toBe(1);
  expect(pool.column('j').getNumber(index)).toBe(2.5);
  expect(pool.column('j').length).toBe(3);
  expect(() => pool.column('l').getNumber(index)).toThrow(code('ERR_OBJECT_POOL_NOT_NUMERIC'));
  for (const wrong of [-1, 3, 0.5, NaN, 2 ** 32]) {
    expect(() => pool.column('j').get(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => pool.column('j').set(wrong, 1)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => pool.column('g').getNumber(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
  }
  expect(() => pool.column('j').get('1' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => pool.column('z' as 'a')).toThrow(code('ERR_INVALID_ARG_VALUE'));
});

test('text and bytes that are shorter are padded, longer ones refused, and neighbours left alone', () => {
  using pool = new ObjectPool(record({ before: 'u8', text: 'ascii4', bytes: 'bytes4', after: 'u8' }), { capacity: 2 });
  const view = Object.assign(pool.acquire()!, { before: 1, after: 2 });
  view.text = 'abcd';
  expect(view.text).toBe('abcd');
  view.text = 'x';
  expect(view.text).toBe('x');
  view.bytes = Uint8Array.of(1, 2, 3, 4);
  view.bytes = Uint8Array.of(9);
  expect([...view.bytes]).toEqual([9, 0, 0, 0]);
  expect(view.bytes).toBe(view.bytes);
  for (const wrong of ['abcde', 'ä', 'a\0b', 5]) {
    expect(() => (view.text = wrong as string)).toThrow(code('ERR_INVALID_ARG_VALUE'));
  }
  expect(() => (view.bytes = new Uint8Array(5))).toThrow(code('ERR_INVALID_ARG_VALUE'));
  expect(() => (view.bytes = [1] as never)).toThrow(code('ERR_INVALID_ARG_VALUE'));
  expect([view.before, view.text, view.after]).toEqual([1, 'x', 2]);
});

test('a record keeps its bytes for the next holder', () => {
  using pool = new ObjectPool(All, { capacity: 1 });
  const view = pool.acquire()!;
  expect(view.j).toBe(0);
  view.j = 7;
  pool.release(view);
  expect(pool.acquire()!.j).toBe(7);
});

test('what is not out cannot be released', () => {
  using pool = new ObjectPool(All, { capacity: 200 });
  using other = new ObjectPool(All, { capacity: 200 });
  const view = pool.acquire()!;
  expect(() => other.release(view)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  expect(() => pool.release({ ...view })).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  pool.release(view);
  expect(() => pool.release(view)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  expect(() => pool.releaseIndex(view.index)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  expect(() => pool.releaseIndex(199)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  expect(() => pool.handOn(view.index)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  expect(() => pool.adopt(view.index)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  for (const wrong of [-1, 200, 0.5, NaN]) {
    expect(() => pool.releaseIndex(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => pool.at(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => pool.handOn(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => pool.adopt(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
  }
  const column = pool.column('j');
  for (const wrong of ['1', 1n, Symbol('1'), undefined] as never[]) {
    expect(() => pool.releaseIndex(wrong)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => pool.at(wrong)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => column.get(wrong)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => column.set(wrong, 1)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  }
  expect(pool.size).toBe(0);
});

test.each<[string, unknown, string]>([
  ['no options', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['no capacity', {}, 'ERR_INVALID_ARG_TYPE'],
  ['an empty pool', { capacity: 0 }, 'ERR_OUT_OF_RANGE'],
  ['half a record', { capacity: 1.5 }, 'ERR_OUT_OF_RANGE'],
  ['more than 4 GiB', { capacity: 2 ** 29 }, 'ERR_OUT_OF_RANGE'],
  ['debug as a number', { capacity: 1, debug: 1 }, 'ERR_INVALID_ARG_TYPE'],
])('refuses %s', (_, options, expected) => {
  expect(() => new ObjectPool(All, options as never)).toThrow(code(expected));
});

test('after close() everything throws, views and columns too', () => {
  const pool = new ObjectPool(All, { capacity: 4 });
  const view = pool.acquire()!;
  const bytes = view.m;
  const column = pool.column('j');
  pool.close();
  pool.close();
  const uses: (() => unknown)[] = [
    () => pool.acquire(),
    () => pool.acquireIndex(),
    () => pool.release(view),
    () => pool.releaseIndex(0),
    () => pool.at(0),
    () => pool.handOn(0),
    () => pool.adopt(0),
    () => pool.size,
    () => pool.column('j'),
    () => pool.share(),
    () => view.j,
    () => view.l,
    () => view.g,
    () => (view.j = 1),
    () => (view.m = Uint8Array.of(1)),
    () => column.get(0),
    () => column.set(0, 1),
    () => column.getNumber(0),
  ];
  for (const use of uses) expect(use).toThrow(code('ERR_OBJECT_POOL_CLOSED'));
  expect(bytes.length).toBe(0);
  expect(pool.capacity).toBe(4);
});

test('a view shows its fields', () => {
  using pool = new ObjectPool(record({ price: 'f64', symbol: 'ascii4' }), { capacity: 1 });
  const view = Object.assign(pool.acquire()!, { price: 2, symbol: 'ABC' });
  expect(inspect(view)).toBe("{ index: 0, price: 2, symbol: 'ABC' }");
  expect(() => ((view as { index: number }).index = 3)).toThrow(TypeError);
});

test('a pool lives as long as a view or a column of it, and no longer', () => {
  const program = `
    const { ObjectPool, record } = require('@millrace/object-pool');
    const Record = record({ value: 'f64' });
    const make = () => new ObjectPool(Record, { capacity: 8 });
    const view = (() => Object.assign(make().acquire(), { value: 5 }))();
    const column = (() => make().column('value'))();
    const gone = (() => new WeakRef(make()))();
    (async () => {
      for (let i = 0; i < 5; i++) {
        gc();
        await new Promise(setImmediate);
      }
      column.set(7, 3);
      console.log(view.value, column.get(7), gone.deref());
    })();`;
  const output = execFileSync(process.execPath, ['--expose-gc', '-e', program], { cwd: __dirname, encoding: 'utf8' });
  expect(output).toBe('5 3 undefined\n');
});

test('pools of both kinds are ObjectPools', () => {
  using records = new ObjectPool(All, { capacity: 1 });
  using plain = new ObjectPool({ create: () => ({}), capacity: 1 });
  expect(records).toBeInstanceOf(ObjectPool);
  expect(plain).toBeInstanceOf(ObjectPool);
  expect({}).not.toBeInstanceOf(ObjectPool);
});
