import { writeDecimal } from '../../dist/gateway/decimal.js';
import { withSeed } from './seed';

function written(value: number | bigint): string {
  const target = Buffer.alloc(30, '.');
  return target.toString('latin1', 3, writeDecimal(target, 3, value));
}

test.each([0, 1, 9, 10, 99, 100, 999_999_999, 1_000_000_000, -1, -10, -999_999_999, -1_000_000_000, 2 ** 53 - 1])(
  '%d',
  (value) => {
    expect(written(value)).toBe(String(value));
  },
);

test('64 bits', () => {
  expect(written(-(2n ** 63n))).toBe('-9223372036854775808');
});

test('any integer', async () => {
  await withSeed((random) => {
    for (let i = 0; i < 20_000; i++) {
      const value = Math.floor((random.next() - 0.5) * 10 ** random.below(15));
      if (written(value) !== String(value)) expect(written(value)).toBe(String(value));
    }
  });
});
