import { inspect } from 'node:util';
import { codedError } from '@millrace/native';

/** `code` of every error that this package makes. */
export type ErrorCode =
  /** The pool has been closed, or gave up what was queued while it closed. */
  | 'ERR_POOL_CLOSED'
  | 'ERR_POOL_QUEUE_FULL'
  /** A worker ends again and again and is not replaced. */
  | 'ERR_POOL_WORKER_LOST'
  /** A newer task took its place in the queue. */
  | 'ERR_TASK_DROPPED'
  | 'ERR_TASK_TIMEOUT'
  /** It blocked its worker for `stuckAfterMs`. */
  | 'ERR_TASK_STUCK'
  /** Its worker ended: `cause` says how. */
  | 'ERR_TASK_WORKER_EXIT'
  /** The module has no such task. */
  | 'ERR_TASK_NOT_FOUND'
  /** The module of the tasks did not load: `cause` says why. */
  | 'ERR_WORKER_MODULE'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM'
  | 'ABORT_ERR';

export const errors = {
  closed: (): Error => codedError('ERR_POOL_CLOSED', 'The pool is closed. Run tasks before close().'),

  gaveUp: (timeoutMs: number): Error =>
    codedError('ERR_POOL_CLOSED', `The pool was closed, and ${timeoutMs} ms later the task had not ended.`),

  queueFull: (capacity: number, count = 1): Error =>
    codedError(
      'ERR_POOL_QUEUE_FULL',
      `The queue of ${capacity} tasks has no room for ${count === 1 ? 'another' : `${count} more`}. ` +
        'Wait for drain(), raise options.queue.capacity, or choose options.queue.overflow "drop-oldest".',
    ),

  dropped: (): Error =>
    codedError('ERR_TASK_DROPPED', 'The queue was full, and the task was its oldest one: a newer one took its place.'),

  timeout: (timeoutMs: number): Error =>
    codedError('ERR_TASK_TIMEOUT', `The task has not ended within its timeoutMs, ${timeoutMs} ms.`),

  stuck: (workerIndex: number, elapsedMs: number, stack: string | undefined): Error =>
    codedError(
      'ERR_TASK_STUCK',
      `The task has blocked worker ${workerIndex} for ${Math.round(elapsedMs)} ms; the worker is replaced. ` +
        'Split the task up, or raise options.stuckAfterMs.',
      { workerIndex, ...(stack !== undefined && { workerStack: stack }) },
    ),

  workerExit: (workerIndex: number, cause: Error): Error =>
    codedError('ERR_TASK_WORKER_EXIT', `Worker ${workerIndex} ended in the middle of the task: ${cause.message}`, {
      cause,
      workerIndex,
    }),

  exited: (exitCode: number): Error => new Error(`the thread exited with code ${exitCode}`),

  abandoned: (): Error => new Error('the task went on after it had been aborted'),

  notFound: (module: string, name: string, found: unknown): Error =>
    codedError(
      'ERR_TASK_NOT_FOUND',
      `${module} exports no function "${name}" (${found === undefined ? 'nothing' : `type ${typeof found}`} of that name).`,
      { ErrorType: TypeError },
    ),

  workerModule: (module: string, cause: unknown): Error =>
    codedError('ERR_WORKER_MODULE', `The worker module ${module} did not load: ${textOf(cause)}`, { cause }),

  workerLost: (attempts: number, cause: unknown): Error =>
    codedError(
      'ERR_POOL_WORKER_LOST',
      `Workers ended ${attempts} times in a row without doing anything, and are not replaced again: ${textOf(cause)}`,
      { cause },
    ),

  abort: (signal: AbortSignal): Error =>
    codedError('ABORT_ERR', 'The operation was aborted', { cause: signal.reason, name: 'AbortError' }),

  transfersOfMany: (): Error =>
    codedError(
      'ERR_INVALID_ARG_VALUE',
      'With options.transferList, runMany() takes one task: the first of several would take along what the others have. ' +
        'Call run() for each.',
      { ErrorType: TypeError },
    ),

  invalidFilename: (value: unknown): Error =>
    codedError(
      'ERR_INVALID_ARG_TYPE',
      `The "options.filename" property must be of type string or an instance of URL. Received ${describe(value)}`,
      { ErrorType: TypeError },
    ),

  invalidArgument: (name: string, expected: string, value: unknown): Error =>
    codedError('ERR_INVALID_ARG_TYPE', `The "${name}" argument must be ${expected}. Received ${describe(value)}`, {
      ErrorType: TypeError,
    }),
};

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return `type ${typeof value}${typeof value === 'object' ? '' : ` (${inspect(value)})`}`;
}
