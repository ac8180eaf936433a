import { inspect } from 'node:util';
import { codedError } from '@millrace/native';

/** The `code` of every error that this package throws. */
export type ErrorCode =
  /** Used after `close()`, here or on the thread that made the wheel. */
  | 'ERR_TIMER_CLOSED'
  /** `capacity` timers are live. */
  | 'ERR_TIMER_FULL'
  /** `advance` of a wheel with a running clock, or what only the thread that made the wheel may do. */
  | 'ERR_INVALID_STATE'
  /** The thread that made the token's wheel has closed it, or it is of another process. */
  | 'ERR_SHARED_GONE'
  /** The token was made by another copy of this package. */
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
  const message = 'The timer wheel is closed, on this thread or on the one that made it. Use it before close()';
  return makeError('ERR_TIMER_CLOSED', message);
}

export function fullError(): Error {
  return makeError('ERR_TIMER_FULL', 'All timers of the wheel are live. Raise capacity, or cancel some');
}

/** @param what - cannot be done there: `advance()` */
export function notOwnerError(what: string): Error {
  const message = `${what} is for the thread that made the wheel, where its timers expire. This one has attached to it`;
  return makeError('ERR_INVALID_STATE', message);
}

export function runningClockError(): Error {
  const message = "advance() is for wheels with clock: 'manual'. The clock of this one runs by itself";
  return makeError('ERR_INVALID_STATE', message);
}

/** @param type - what the argument must be an instance of */
export function arrayTypeError(name: string, type: string, value: unknown): Error {
  const message = `The "${name}" argument must be an instance of ${type}. Received ${inspect(value, { depth: 0 })}`;
  return codedError<ErrorCode>('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}
