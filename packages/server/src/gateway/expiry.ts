import { addIntegers, multiplyIntegers, parseInteger, type Integer } from './integers.js';

export type TimeUnit = 'seconds' | 'milliseconds';

/**
 * Lives longer than this (three hundred years) are cut to it: far below what 64 bits of milliseconds hold, and
 * exact in a double.
 */
const MAX_TTL_MS = 10_000_000_000_000;

/** `bytes` as a time to live, in milliseconds; above 0, or the error that Redis gives for `command`. */
export function relativeTtl(bytes: Uint8Array, unit: TimeUnit, command: string): number | string {
  const time = milliseconds(bytes, unit, command);
  if (typeof time === 'string') return time;
  if (time <= 0) return invalidTime(command);
  return ttlFrom(time, command);
}

/** `bytes` as a moment since 1970, in milliseconds from now; 0 or less where it has passed. */
export function absoluteTtl(bytes: Uint8Array, unit: TimeUnit, command: string): number | string {
  const time = milliseconds(bytes, unit, command);
  if (typeof time === 'string') return time;
  if (time <= 0) return invalidTime(command);
  return clamp(typeof time === 'bigint' ? time - BigInt(Date.now()) : time - Date.now());
}

/** As `relativeTtl`, but 0 and below are times too: EXPIRE deletes the key then. */
export function expiryTtl(bytes: Uint8Array, unit: TimeUnit, command: string): number | string {
  const time = milliseconds(bytes, unit, command);
  return typeof time === 'string' ? time : ttlFrom(time, command);
}

function milliseconds(bytes: Uint8Array, unit: TimeUnit, command: string): Integer | string {
  const value = parseInteger(bytes);
  if (value === undefined) return 'ERR value is not an integer or out of range';
  if (unit === 'milliseconds') return value;
  return multiplyIntegers(value, 1000) ?? invalidTime(command);
}

/** The moment it leads to must fit 64 bits, as Redis keeps moments. */
function ttlFrom(time: Integer, command: string): number | string {
  return addIntegers(time, Date.now()) === undefined ? invalidTime(command) : clamp(time);
}

function clamp(time: Integer): number {
  return Math.max(-MAX_TTL_MS, Math.min(MAX_TTL_MS, Number(time)));
}

function invalidTime(command: string): string {
  return `ERR invalid expire time in '${command}' command`;
}
