import type { Integer } from './integers.js';

const ZERO = 0x30;
const MINUS = 0x2d;
/** Up to here the digits are made here, without a string in between. */
const LIMIT = 1_000_000_000;

/** Writes an integer in decimal at `at`, at most 20 bytes; answers where it ends. */
export function writeDecimal(target: Buffer, at: number, value: Integer): number {
  if (typeof value !== 'number' || value >= LIMIT || value <= -LIMIT) {
    return at + target.write(String(value), at, 'latin1');
  }
  let rest = value;
  if (value < 0) {
    target[at++] = MINUS;
    rest = -value;
  }
  let end = at + 1;
  for (let bound = 10; bound <= rest; bound *= 10) end++;
  for (let i = end - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    target[i] = ZERO + rest - next * 10;
    rest = next;
  }
  return end;
}
