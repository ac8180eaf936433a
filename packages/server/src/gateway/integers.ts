/**
 * Redis's integers: 64 bits, written in decimal, without blanks, plus signs or leading zeros. Those that a double
 * holds exactly are numbers (the common case, no allocation), the rest bigints.
 */
export type Integer = number | bigint;

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MINUS = 0x2d;
const ZERO = 0x30;
/** So many digits always fit a double exactly. */
const SAFE_DIGITS = 15;
const MAX_DIGITS = 19;

/** Answers undefined for what Redis calls "not an integer or out of range". */
export function parseInteger(bytes: Uint8Array): Integer | undefined {
  const negative = bytes[0] === MINUS;
  const start = negative ? 1 : 0;
  const digits = bytes.length - start;
  if (digits < 1 || digits > MAX_DIGITS) return undefined;
  if (bytes[start] === ZERO) return digits === 1 && !negative ? 0 : undefined;
  let value = 0;
  const safeEnd = start + Math.min(digits, SAFE_DIGITS);
  for (let i = start; i < safeEnd; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (digits <= SAFE_DIGITS) return negative ? -value : value;
  return parseLong(bytes, safeEnd, BigInt(value), negative);
}

function parseLong(bytes: Uint8Array, from: number, head: bigint, negative: boolean): Integer | undefined {
  let value = head;
  for (let i = from; i < bytes.length; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10n + BigInt(digit);
  }
  return fitInt64(negative ? -value : value);
}

/** The sum, or undefined when 64 bits cannot hold it. */
export function addIntegers(a: Integer, b: Integer): Integer | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return fitInt64(BigInt(a) + BigInt(b));
}

/** The product, or undefined when 64 bits cannot hold it. */
export function multiplyIntegers(a: Integer, b: Integer): Integer | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const product = a * b;
    if (Number.isSafeInteger(product)) return product;
  }
  return fitInt64(BigInt(a) * BigInt(b));
}

/** The same number with the other sign, or undefined: the smallest 64-bit integer has no counterpart. */
export function negateInteger(a: Integer): Integer | undefined {
  if (typeof a === 'number') return a === 0 ? 0 : -a;
  return fitInt64(-a);
}

function fitInt64(value: bigint): Integer | undefined {
  if (value < MIN_INT64 || value > MAX_INT64) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
