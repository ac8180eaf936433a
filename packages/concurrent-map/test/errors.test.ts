import { ConcurrentMap, type ErrorCode } from '@millrace/concurrent-map';

function codeOf(call: () => unknown): ErrorCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    expect((error as Error).message).toMatch(/\w+ \w+/);
    return (error as { code: ErrorCode }).code;
  }
}

test.each<[object | undefined, ErrorCode]>([
  [undefined, 'ERR_INVALID_ARG_TYPE'],
  [{ value: 'f64' }, 'ERR_INVALID_ARG_VALUE'],
  [{ key: 'string', value: 'f32' }, 'ERR_INVALID_ARG_VALUE'],
  [{ key: 'string', value: 'f64', evict: 'all' }, 'ERR_INVALID_ARG_VALUE'],
  [{ key: 'string', value: 'f64', maxBytes: '1' }, 'ERR_INVALID_ARG_TYPE'],
  [{ key: 'string', value: 'f64', maxBytes: 65_535 }, 'ERR_OUT_OF_RANGE'],
  [{ key: 'string', value: 'f64', maxBytes: 2 ** 32 }, 'ERR_OUT_OF_RANGE'],
  [{ key: 'string', value: 'f64', maxBytes: NaN }, 'ERR_OUT_OF_RANGE'],
  [{ key: 'string', value: 'f64', capacity: 0 }, 'ERR_OUT_OF_RANGE'],
  [{ key: 'string', value: 'f64', capacity: 1.5 }, 'ERR_OUT_OF_RANGE'],
])('options %j: %s', (options, code) => {
  expect(codeOf(() => new ConcurrentMap(options as never))).toBe(code);
  expect(codeOf(() => ConcurrentMap.bytes(options as never))).toBe(code);
});

describe('arguments', () => {
  const strings = new ConcurrentMap({ key: 'string', value: 'string' });
  const words = new ConcurrentMap({ key: 'u64', value: 'i64' });
  const connections = new ConcurrentMap<'fd-sequence', 'json'>({ key: 'fd-sequence', value: 'json' });
  const reals = new ConcurrentMap({ key: 'u64', value: 'f64' });
  const bytes = new ConcurrentMap({ key: 'string', value: 'bytes' });
  afterAll(() => [strings, words, connections, reals, bytes].forEach((map) => map.close()));

  const wrong = (value: unknown): never => value as never;
  test.each<[string, () => unknown, ErrorCode]>([
    ['a key of another type', () => strings.get(wrong(5)), 'ERR_INVALID_ARG_TYPE'],
    ['no key', () => words.get(wrong(undefined)), 'ERR_INVALID_ARG_TYPE'],
    ['a negative u64', () => words.get(-1), 'ERR_OUT_OF_RANGE'],
    ['a fraction as u64', () => words.get(1.5), 'ERR_OUT_OF_RANGE'],
    ['a number above 2^53 as u64', () => words.get(2 ** 53), 'ERR_OUT_OF_RANGE'],
    ['a bigint above 64 bits', () => words.get(2n ** 64n), 'ERR_OUT_OF_RANGE'],
    ['a negative bigint', () => words.get(-1n), 'ERR_OUT_OF_RANGE'],
    ['a number as connection', () => connections.get(wrong(7)), 'ERR_INVALID_ARG_TYPE'],
    ['a connection without sequence', () => connections.get(wrong({ fd: 1 })), 'ERR_INVALID_ARG_TYPE'],
    ['a negative descriptor', () => connections.get({ fd: -1, sequence: 0 }), 'ERR_OUT_OF_RANGE'],
    ['a number as string', () => strings.set('a', wrong(1)), 'ERR_INVALID_ARG_TYPE'],
    ['a string as bytes', () => bytes.set('a', wrong('b')), 'ERR_INVALID_ARG_TYPE'],
    ['a string as f64', () => reals.set(1, wrong('b')), 'ERR_INVALID_ARG_TYPE'],
    ['a fraction as i64', () => words.set(1, 0.5), 'ERR_OUT_OF_RANGE'],
    ['a bigint above i64', () => words.set(1, 2n ** 63n), 'ERR_OUT_OF_RANGE'],
    ['a function as JSON', () => connections.set({ fd: 1, sequence: 1 }, () => 1), 'ERR_INVALID_ARG_VALUE'],
    ['options that are none', () => words.set(1, 1, wrong(5)), 'ERR_INVALID_ARG_TYPE'],
    ['ttlMs 0', () => words.set(1, 1, { ttlMs: 0 }), 'ERR_OUT_OF_RANGE'],
    ['ttlMs of a fraction', () => words.set(1, 1, { ttlMs: 1.5 }), 'ERR_OUT_OF_RANGE'],
    ['ttlMs of a thousand years', () => words.set(1, 1, { ttlMs: 1e15 }), 'ERR_OUT_OF_RANGE'],
    ['ttlMs of another type', () => words.set(1, 1, { ttlMs: wrong('1') }), 'ERR_INVALID_ARG_TYPE'],
    ['expire without a time', () => words.expire(1, wrong(undefined)), 'ERR_INVALID_ARG_TYPE'],
    ['expire in the past', () => words.expire(1, -1), 'ERR_OUT_OF_RANGE'],
    ['update without a function', () => words.update(1, wrong(1)), 'ERR_INVALID_ARG_TYPE'],
    ['update that makes the wrong type', () => words.update(1, () => wrong('x')), 'ERR_INVALID_ARG_TYPE'],
    ['a cursor of another type', () => words.scan(wrong('0'), 1), 'ERR_INVALID_ARG_TYPE'],
    ['a cursor out of range', () => words.scan(2 ** 52, 1), 'ERR_OUT_OF_RANGE'],
    ['a count of 0', () => words.scan(0, 0), 'ERR_OUT_OF_RANGE'],
    ['getInto of numbers', () => words.getInto(1, wrong(Buffer.alloc(8))), 'ERR_INVALID_ARG_VALUE'],
    ['getInto behind the end', () => bytes.getInto('a', Buffer.alloc(8), 9), 'ERR_OUT_OF_RANGE'],
    ['getInto of no bytes', () => bytes.getInto('a', wrong('')), 'ERR_INVALID_ARG_TYPE'],
    [
      'getMany into the wrong array',
      () => words.getMany(new BigUint64Array(1), wrong(new Float64Array(1))),
      'ERR_INVALID_ARG_TYPE',
    ],
    ['getMany of other keys', () => reals.getMany(wrong([1n]), new Float64Array(1)), 'ERR_INVALID_ARG_TYPE'],
    ['getMany into too little', () => reals.getMany(new BigUint64Array(2), new Float64Array(1)), 'ERR_OUT_OF_RANGE'],
    [
      'getMany of strings into numbers',
      () => strings.getMany(wrong(new BigUint64Array(1)), wrong(new Float64Array(1))),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['a sum above 64 bits', () => words.set(1, 2n ** 63n - 1n).add(1, 1), 'ERR_MAP_OVERFLOW'],
    ['a key of 4,001 bytes', () => strings.set('k'.repeat(4001), ''), 'ERR_MAP_TOO_LARGE'],
    ['a key of 2,001 wide characters', () => strings.setIfAbsent('ш'.repeat(2001), ''), 'ERR_MAP_TOO_LARGE'],
    ['a value above half of the map', () => bytes.set('k', Buffer.alloc(40 << 20)), 'ERR_MAP_TOO_LARGE'],
  ])('%s', (_, call, code) => {
    expect(codeOf(call)).toBe(code);
  });

  test('argument errors are of the usual classes', () => {
    expect(() => strings.get(wrong(5))).toThrow(TypeError);
    expect(() => words.get(-1)).toThrow(RangeError);
    expect(() => words.add(1, 1)).toThrow(RangeError);
  });

  test('keys that are too long are not there', () => {
    expect(strings.get('k'.repeat(5000))).toBeUndefined();
    expect(strings.has('k'.repeat(5000))).toBe(false);
  });

  test('a sum that does not fit changes nothing', () => {
    words.set(5, -(2n ** 63n));
    expect(codeOf(() => words.add(5, -1))).toBe('ERR_MAP_OVERFLOW');
    expect(words.get(5)).toBe(-(2n ** 63n));
  });
});

test('close is idempotent, and everything throws ERR_MAP_CLOSED after it', () => {
  const map = new ConcurrentMap({ key: 'string', value: 'f64' });
  const iterator = map.set('a', 1).keys();
  map.close();
  map.close();
  map[Symbol.dispose]();
  const calls: (() => unknown)[] = [
    () => map.get('a'),
    () => map.has('a'),
    () => map.set('a', 1),
    () => map.setIfAbsent('a', 1),
    () => map.setIfPresent('a', 1),
    () => map.delete('a'),
    () => map.size,
    () => map.clear(),
    () => map.exchange('a', 1),
    () => map.scan(0, 1),
    () => map.add('a', 1),
    () => map.compareAndSet('a', 1, 1),
    () => map.deleteIf('a', 1),
    () => map.update('a', () => 1),
    () => map.getMany(['a']),
    () => map.ttlMs('a'),
    () => map.expire('a', 1),
    () => map.persist('a'),
    () => [...map],
    () => iterator.next(),
    () => map.stats(),
    () => map.share(),
  ];
  expect(calls.map(codeOf)).toEqual(calls.map(() => 'ERR_MAP_CLOSED'));
});
