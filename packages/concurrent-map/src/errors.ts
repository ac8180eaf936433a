import { inspect } from 'node:util';
import { codedError } from '@millrace/native';

/** The `code` of every error that this package throws. */
export type ErrorCode =
  /** Used after `close()`. */
  | 'ERR_MAP_CLOSED'
  /** No room within `maxBytes` or `capacity`, and `evict` is `'none'`. */
  | 'ERR_MAP_FULL'
  /** A key above 4,000 bytes, or an entry above half of the map. */
  | 'ERR_MAP_TOO_LARGE'
  /** A sum that 64 bits do not hold. */
  | 'ERR_MAP_OVERFLOW'
  /** The token's map is closed on every thread, or of another process. */
  | 'ERR_SHARED_GONE'
  /** The token was made by another copy or version of this package. */
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM';

export function makeError(code: ErrorCode, message: string): Error {
  return codedError(code, message);
}

export function closedError(): Error {
  return makeError('ERR_MAP_CLOSED', 'The map is closed on this thread. Use it before close(), or attach to it again');
}

export function fullError(): Error {
  const message = "The map is full. Raise maxBytes or capacity, use evict: 'lru', or give entries a ttlMs";
  return makeError('ERR_MAP_FULL', message);
}

/** For an entry that no map of these options can hold. */
export function tooLargeError(key: unknown, value: unknown): Error {
  const received = `a key of ${sizeOf(key)} and a value of ${sizeOf(value)}`;
  const message = `The entry is too large: keys may have 4,000 bytes, an entry half of maxBytes. Received ${received}`;
  return makeError('ERR_MAP_TOO_LARGE', message);
}

function sizeOf(given: unknown): string {
  if (typeof given === 'string') return `${given.length} characters`;
  return `${given instanceof Uint8Array ? given.length : 8} bytes`;
}

export function overflowError(): Error {
  const message = 'The sum does not fit into 64 bits, and nothing was added. Use a map of f64, or smaller numbers';
  return codedError('ERR_MAP_OVERFLOW', message, { ErrorType: RangeError });
}

export function typeError(name: string, expected: string, value: unknown): Error {
  const received =
    value === null || value === undefined ? `${value}` : `${typeof value} (${inspect(value, { depth: 0 })})`;
  const message = `The "${name}" argument must be ${expected}. Received ${received}`;
  return codedError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}

export function rangeError(name: string, constraint: string, value: unknown): Error {
  const message = `The value of "${name}" is out of range. It must be ${constraint}. Received ${inspect(value)}`;
  return codedError('ERR_OUT_OF_RANGE', message, { ErrorType: RangeError });
}

export function valueError(name: string, constraint: string, value: unknown): Error {
  const message = `The argument '${name}' ${constraint}. Received ${inspect(value)}`;
  return codedError('ERR_INVALID_ARG_VALUE', message, { ErrorType: TypeError });
}
