import { codedError } from '@millrace/native';

/** The `code` of every error that this package makes. */
export type ErrorCode =
  /** A `push` to a queue that is closed, or any use of a handle that was detached. */
  | 'ERR_QUEUE_CLOSED'
  /** A `push` or `pop` waited for `timeoutMs`. */
  | 'ERR_QUEUE_TIMEOUT'
  /** Another thread pushes, or pops, this SpscRing. */
  | 'ERR_QUEUE_SIDE_TAKEN'
  /** `commit` without `tryReserve`. */
  | 'ERR_QUEUE_NO_RESERVATION'
  /** The system has no memory, or no descriptor, for it. */
  | 'ERR_QUEUE_MEMORY'
  /** A message longer than the queue takes. */
  | 'ERR_MESSAGE_TOO_LARGE'
  /** The token's queue is held by no thread any more, or of another process. */
  | 'ERR_SHARED_GONE'
  /** The token was made by another copy or version of this package. */
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM'
  /** The `signal` of a wait aborted. */
  | 'ABORT_ERR';

export const errors = {
  closed: (): Error =>
    codedError(
      'ERR_QUEUE_CLOSED',
      'The queue is closed. Push before close(); check "closed" where others may close it',
    ),

  detached: (): Error =>
    codedError(
      'ERR_QUEUE_CLOSED',
      'This thread has let go of the queue. Use it before detach(), or attach to it again',
    ),

  timeout: (what: string, timeoutMs: number): Error =>
    codedError('ERR_QUEUE_TIMEOUT', `${what} took longer than timeoutMs. Received ${timeoutMs}`),

  abort: (signal: AbortSignal): Error =>
    codedError('ABORT_ERR', 'The operation was aborted', { cause: signal.reason, name: 'AbortError' }),

  taken: (side: 'push' | 'pop'): Error =>
    codedError(
      'ERR_QUEUE_SIDE_TAKEN',
      `Another thread does the ${side} side of this ring, and one at a time may. See that it detaches before, or use a MpmcQueue`,
    ),

  noReservation: (): Error =>
    codedError(
      'ERR_QUEUE_NO_RESERVATION',
      'Nothing is reserved. Call tryReserve() before commit(), and no push in between',
    ),

  memory: (what: string): Error =>
    codedError('ERR_QUEUE_MEMORY', `The system has no memory or descriptor left for ${what}`),

  tooLarge: (byteLength: number, max: number, option: string): Error =>
    codedError(
      'ERR_MESSAGE_TOO_LARGE',
      `The message has ${byteLength} bytes, the queue takes up to ${max}. Raise options.${option}`,
      { ErrorType: RangeError },
    ),

  target: (needed: number, received: number): Error =>
    codedError(
      'ERR_OUT_OF_RANGE',
      `The value of "target.length" is out of range. It must be >= ${needed}, the length of the message, which stays. Received ${received}`,
      { ErrorType: RangeError },
    ),

  committed: (received: number): Error =>
    codedError(
      'ERR_OUT_OF_RANGE',
      `The value of "byteLength" is out of range. It must be at most what was reserved. Received ${received}`,
      { ErrorType: RangeError },
    ),

  signal: (received: unknown): Error =>
    codedError(
      'ERR_INVALID_ARG_TYPE',
      `The "options.signal" property must be an instance of AbortSignal. Received type ${typeof received}`,
      { ErrorType: TypeError },
    ),

  list: (received: unknown): Error =>
    codedError('ERR_INVALID_ARG_TYPE', `The "list" argument must be an Array. Received type ${typeof received}`, {
      ErrorType: TypeError,
    }),
};
