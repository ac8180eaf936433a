import { ObjectPool, type PlainPool } from '@millrace/object-pool';

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

test('makes an object when none is free, up to its capacity, and resets it when it comes back', () => {
  let made = 0;
  const pool = new ObjectPool({
    create: () => ({ id: made++, list: [] as number[] }),
    reset: (object) => (object.list.length = 0),
    capacity: 2,
  });
  const one = pool.acquire()!;
  one.list.push(1);
  pool.release(one);
  expect(one.list).toEqual([]);
  expect(pool.acquire()).toBe(one);
  expect(made).toBe(1);
  const two = pool.acquire()!;
  expect([two.id, pool.size, pool.capacity]).toEqual([1, 2, 2]);
  expect(pool.acquire()).toBeUndefined();
  pool.close();
  pool.close();
});

test('no more than its capacity is out where create() acquires, too', () => {
  let children = 0;
  type Node = { child?: Node | undefined };
  const create = (): Node => (children++ < 5 ? { child: pool.acquire() } : {});
  using pool: PlainPool<Node> = new ObjectPool<Node>({ create, capacity: 3 });
  expect(pool.acquire()).toEqual({ child: { child: {} } });
  expect([pool.size, children]).toEqual([3, 3]);
});

test('what is not out cannot be released', () => {
  using pool = new ObjectPool({ create: () => ({}), capacity: 2 });
  const object = pool.acquire()!;
  pool.release(object);
  for (const wrong of [object, {}, undefined]) {
    expect(() => pool.release(wrong as object)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  }
});

test('an object whose reset() throws stays out, and one that create() does not make is not there', () => {
  let fails = true;
  const fail = (): void => {
    if (fails) throw new Error('fails');
  };
  const create = (): object => {
    fail();
    return {};
  };
  using pool = new ObjectPool({ create, reset: fail, capacity: 1 });
  expect(() => pool.acquire()).toThrow('fails');
  expect(pool.size).toBe(0);
  fails = false;
  const object = pool.acquire()!;
  fails = true;
  expect(() => pool.release(object)).toThrow('fails');
  expect(pool.size).toBe(1);
  fails = false;
  pool.release(object);
  expect(pool.size).toBe(0);
});

test('create() has to make new objects', () => {
  const same = {};
  using pool = new ObjectPool({ create: () => same, capacity: 3 });
  pool.acquire();
  expect(() => pool.acquire()).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
  using none = new ObjectPool({ create: () => undefined as never, capacity: 3 });
  expect(() => none.acquire()).toThrow(code('ERR_INVALID_ARG_TYPE'));
});

test('callbacks may use the pool, and close it', () => {
  const pool: { close(): void; release(object: object): void; acquire(): object | undefined } = new ObjectPool({
    create: () => ({}),
    reset: () => pool.close(),
    capacity: 2,
  });
  pool.release(pool.acquire()!);
  expect(() => pool.acquire()).toThrow(code('ERR_OBJECT_POOL_CLOSED'));
});

test('after close() everything throws', () => {
  const pool = new ObjectPool({ create: () => ({}), capacity: 2 });
  const object = pool.acquire()!;
  pool.close();
  for (const use of [() => pool.acquire(), () => pool.release(object), () => pool.size]) {
    expect(use).toThrow(code('ERR_OBJECT_POOL_CLOSED'));
  }
});

test.each<[string, unknown, string]>([
  ['no options', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['no create()', { capacity: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['a reset that is no function', { create: () => ({}), reset: 5, capacity: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['no capacity', { create: () => ({}) }, 'ERR_INVALID_ARG_TYPE'],
  ['an empty pool', { create: () => ({}), capacity: 0 }, 'ERR_OUT_OF_RANGE'],
])('refuses %s', (_, options, expected) => {
  expect(() => new ObjectPool(options as never)).toThrow(code(expected));
});
