import { availableParallelism } from 'node:os';
import { checkInteger, checkObject, checkOneOf, integerOption } from '@millrace/native';
import { errors } from './errors.js';
import { moduleUrl } from './supervision/worker-module.js';
import type { RunOptions, WorkerPoolOptions } from './types.js';

const MOST_MS = 2 ** 31 - 1;

export interface CheckedOptions {
  readonly module: string;
  readonly workers: number;
  readonly spares: number;
  readonly capacity: number;
  readonly overflow: 'reject' | 'drop-oldest';
  readonly warnAfterMs: number;
  readonly stuckAfterMs: number;
  readonly recycleAfterTasks: number;
  readonly recycleAboveKib: number;
}

export function checkOptions(options: WorkerPoolOptions): CheckedOptions {
  checkObject('options', options);
  const queue = options.queue === undefined ? {} : checkObject('options.queue', options.queue);
  const overflow = checkOneOf('options.queue.overflow', queue.overflow, ['reject', 'drop-oldest', undefined]);
  const workers = { min: 1, max: 256, default: Math.max(1, availableParallelism() - 1) };
  const never = Number.MAX_SAFE_INTEGER;
  return {
    module: moduleUrl(options.filename),
    workers: integerOption('options.workers', options.workers, workers),
    spares: integerOption('options.spares', options.spares, { min: 0, max: 16, default: 1 }),
    capacity: integerOption('options.queue.capacity', queue.capacity, { min: 0, max: 2 ** 24, default: 65_536 }),
    overflow: overflow ?? 'reject',
    warnAfterMs: integerOption('options.warnAfterMs', options.warnAfterMs, { min: 0, max: MOST_MS, default: 100 }),
    stuckAfterMs: integerOption('options.stuckAfterMs', options.stuckAfterMs, { min: 0, max: MOST_MS, default: 2000 }),
    recycleAfterTasks: integerOption('options.recycleAfterTasks', options.recycleAfterTasks, {
      min: 1,
      default: never,
    }),
    recycleAboveKib:
      integerOption('options.recycleAboveBytes', options.recycleAboveBytes, { min: 1, default: never }) / 1024,
  };
}

/** Answers the limit on the time, 0: none. @throws TypeError, RangeError */
export function checkRunOptions(options: RunOptions): number {
  checkObject('options', options);
  const { name, signal, transferList, priority, timeoutMs } = options;
  if (name !== undefined && typeof name !== 'string') {
    throw errors.invalidArgument('options.name', 'of type string', name);
  }
  if (signal !== undefined && !isSignal(signal)) {
    throw errors.invalidArgument('options.signal', 'an instance of AbortSignal', signal);
  }
  if (transferList !== undefined && !Array.isArray(transferList)) {
    throw errors.invalidArgument('options.transferList', 'an array', transferList);
  }
  if (priority !== undefined) checkInteger('options.priority', priority);
  return timeoutMs === undefined ? 0 : checkInteger('options.timeoutMs', timeoutMs, 0, MOST_MS);
}

/** The same, of `runMany`. */
export function checkManyOptions(tasks: readonly unknown[], options: RunOptions | undefined): number {
  if (!Array.isArray(tasks)) throw errors.invalidArgument('tasks', 'an array', tasks);
  if (options === undefined) return 0;
  const timeoutMs = checkRunOptions(options);
  if (tasks.length > 1 && (options.transferList?.length ?? 0) > 0) throw errors.transfersOfMany();
  return timeoutMs;
}

/** Of any implementation. */
function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false;
  return typeof (value as Partial<EventTarget>).addEventListener === 'function';
}

/** Answers the limit on the time; `undefined`: none. @throws TypeError, RangeError */
export function checkCloseOptions(options: { timeoutMs?: number }): number | undefined {
  const { timeoutMs } = checkObject('options', options);
  return timeoutMs === undefined ? undefined : checkInteger('options.timeoutMs', timeoutMs, 0, MOST_MS);
}
