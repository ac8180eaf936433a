import { addIntegers, multiplyIntegers, negateInteger, parseInteger } from '../../dist/gateway/integers.js';
import { withSeed } from './seed';

const parse = (text: string): unknown => parseInteger(Buffer.from(text, 'latin1'));

test.each([
  ['0', 0],
  ['7', 7],
  ['-7', -7],
  ['999999999999999', 999999999999999],
  ['9007199254740991', 9007199254740991],
  ['9007199254740992', 9007199254740992n],
  ['9223372036854775807', 9223372036854775807n],
  ['-9223372036854775808', -9223372036854775808n],
])('%s is an integer', (text, value) => {
  expect(parse(text)).toBe(value);
});

test.each(['', '-', '-0', '+1', ' 1', '1 ', '01', '1.0', 'x', '1x', '9223372036854775808', '-9223372036854775809'])(
  '%j is none',
  (text) => {
    expect(parse(text)).toBeUndefined();
  },
);

test('sums, products and negations beyond 64 bits are refused', () => {
  const [min, max] = [-(2n ** 63n), 2n ** 63n - 1n];
  expect(addIntegers(max, 1)).toBeUndefined();
  expect(addIntegers(min, -1)).toBeUndefined();
  expect(addIntegers(max, -1)).toBe(max - 1n);
  expect(addIntegers(2 ** 53 - 1, 1)).toBe(2n ** 53n);
  expect(addIntegers(2n ** 53n, -1)).toBe(2 ** 53 - 1);
  expect(multiplyIntegers(max, 1000)).toBeUndefined();
  expect(multiplyIntegers(9223372036854775n, 1000)).toBe(9223372036854775000n);
  expect(negateInteger(min)).toBeUndefined();
  expect(negateInteger(max)).toBe(-max);
  expect(negateInteger(0)).toBe(0);
});

test('numbers and bigints give what 64-bit arithmetic gives', async () => {
  await withSeed((random) => {
    const some = (): bigint => {
      const value = BigInt(Math.floor(random.next() * 2 ** 32)) << BigInt(random.below(33));
      return BigInt.asIntN(64, random.below(2) === 0 ? value : -value);
    };
    const fits = (value: bigint): bigint | undefined => (BigInt.asIntN(64, value) === value ? value : undefined);
    const big = (value: number | bigint | undefined): bigint | undefined =>
      value === undefined ? undefined : BigInt(value);
    for (let i = 0; i < 20_000; i++) {
      const [a, b] = [some(), some()];
      const [x, y] = [parseInteger(Buffer.from(`${a}`))!, parseInteger(Buffer.from(`${b}`))!];
      const found = [BigInt(x), BigInt(y), big(addIntegers(x, y)), big(multiplyIntegers(x, y))];
      const expected = [a, b, fits(a + b), fits(a * b)];
      if (found.some((value, at) => value !== expected[at])) expect(found).toEqual(expected);
    }
  });
});
