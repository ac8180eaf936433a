import { codedError } from '@millrace/native';

/** `code` of every error that this package makes. */
export type ErrorCode =
  | 'ERR_FEED_CLOSED'
  | 'ERR_FEED_DEADLOCK'
  | 'ERR_FEED_CONSUMER'
  | 'ERR_FEED_BATCH_EXPIRED'
  | 'ERR_FEED_NO_SEAT'
  | 'ERR_FEED_WORKER_LOST'
  | 'ERR_FEED_MEMORY'
  | 'ERR_MESSAGE_TOO_LARGE'
  | 'ERR_WORKER_MODULE'
  | 'ERR_SHARED_GONE'
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM'
  | 'ABORT_ERR';

export const errors = {
  closed: (): Error => codedError('ERR_FEED_CLOSED', 'The feed is closed. Push and consume before close().'),

  deadlock: (): Error =>
    codedError(
      'ERR_FEED_DEADLOCK',
      'The feed is full, and only consumers on this very thread could make room: waiting would never end. ' +
        'Consume on workers (consumeWith), push from another thread, or choose another overflow policy than "block".',
    ),

  tooLarge: (byteLength: number, maxMessageBytes: number): Error =>
    codedError(
      'ERR_MESSAGE_TOO_LARGE',
      `The message has ${byteLength} bytes, the feed takes up to ${maxMessageBytes}. Raise options.maxMessageBytes.`,
      { ErrorType: RangeError },
    ),

  consumer: (cause: unknown, suppressed: number): Error & { code: string } =>
    codedError(
      'ERR_FEED_CONSUMER',
      `A consumer failed${suppressed > 0 ? ` (and ${suppressed} times before, unreported)` : ''}: ${textOf(cause)}. ` +
        'Its batch counts as failed, the next one follows.',
      { cause },
    ),

  batchExpired: (): Error =>
    codedError(
      'ERR_FEED_BATCH_EXPIRED',
      'The batch has been settled and its memory given back. Copy what is needed later, or return a promise.',
    ),

  noSuchMessage: (index: unknown, length: number): Error =>
    codedError(
      'ERR_OUT_OF_RANGE',
      `The value of "i" is out of range. It must be an integer >= 0 && < ${length}. Received ${String(index)}`,
      { ErrorType: RangeError },
    ),

  noSeat: (maxSeats: number): Error =>
    codedError('ERR_FEED_NO_SEAT', `A feed has at most ${maxSeats} consumers, workers included. Dispose of some.`),

  workerLost: (workerIndex: number, attempts: number, cause: unknown): Error =>
    codedError(
      'ERR_FEED_WORKER_LOST',
      `Worker ${workerIndex} ended ${attempts} times in a row without finishing a batch and is not replaced again` +
        `${cause === undefined ? '' : `: ${textOf(cause)}`}. Its messages go to the remaining consumers.`,
      { cause, workerIndex },
    ),

  workerModule: (filename: string, cause: unknown): Error =>
    codedError('ERR_WORKER_MODULE', `The worker module ${filename} did not start: ${textOf(cause)}`, { cause }),

  noConsumer: (filename: string): Error =>
    new TypeError(
      `the default export of ${filename} must be an object with a function "batch", as defineConsumer() takes`,
    ),

  workerExit: (exitCode: number): Error => new Error(`the worker exited with code ${exitCode}`),

  staleAddon: (): Error =>
    codedError(
      'ERR_LAYOUT_MISMATCH',
      'The native part of @millrace/feed is of another version than its JavaScript. Run "npm rebuild @millrace/feed".',
    ),

  keyText: (key: string): Error =>
    codedError(
      'ERR_OUT_OF_RANGE',
      `The value of "key" is out of range. It must be up to 16 characters of ASCII, without NUL. Received ${JSON.stringify(key)}`,
      { ErrorType: RangeError },
    ),

  keyNumber: (range: string, key: unknown): Error =>
    codedError('ERR_OUT_OF_RANGE', `The value of "key" is out of range. It must be ${range}. Received ${String(key)}`, {
      ErrorType: RangeError,
    }),

  keyType: (expected: string, key: unknown): Error =>
    codedError(
      'ERR_INVALID_ARG_TYPE',
      `The "key" argument must be of type ${expected}. Received ${key === null ? 'null' : `type ${typeof key}`}`,
      { ErrorType: TypeError },
    ),

  invalidOption: (name: string, constraint: string, value: unknown): Error =>
    codedError('ERR_INVALID_ARG_VALUE', `The property '${name}' ${constraint}. Received ${String(value)}`, {
      ErrorType: TypeError,
    }),

  abort: (signal: AbortSignal): Error =>
    codedError('ABORT_ERR', 'The operation was aborted', { cause: signal.reason, name: 'AbortError' }),
};

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
