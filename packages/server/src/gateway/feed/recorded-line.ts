import type { Line } from './line-splitter.js';

const ZERO = 0x30;
const SPACE = 0x20;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Nanoseconds since 1970, from 2001 to 2286. */
const TIME_DIGITS = 19;
/** A double holds that many exactly: microseconds. */
const USED_DIGITS = 16;

/** Where a recorded line's message begins; -1 when it is not `<nanoseconds> {…}`. */
export function messageStart({ bytes, start, end }: Line): number {
  const message = start + TIME_DIGITS + 1;
  if (end - message < 2 || bytes[message - 1] !== SPACE) return -1;
  if (bytes[message] !== OPEN_BRACE || bytes[end - 1] !== CLOSE_BRACE) return -1;
  for (let i = start; i < start + TIME_DIGITS; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
  }
  return message;
}

/** When the line was received, in milliseconds since 1970, exact to a microsecond. */
export function receivedMs({ bytes, start }: Line): number {
  let microseconds = 0;
  for (let i = start; i < start + USED_DIGITS; i++) microseconds = microseconds * 10 + bytes[i]! - ZERO;
  return microseconds / 1000;
}
