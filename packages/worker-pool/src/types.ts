import type { ResourceLimits, TransferListItem } from 'node:worker_threads';

/** What every group of worker threads takes. */
export interface WorkerOptions {
  /** Worker threads, 1 to 256. **Default:** available parallelism − 1, at least 1. */
  workers?: number;
  /** Reaches tasks as `context.workerData`: a structured clone of it. */
  workerData?: unknown;
  /** A task that blocks its worker's event loop this long is reported (`'warn'`). 0: never. **Default:** 100 ms. */
  warnAfterMs?: number;
  /** … and this long: its worker is terminated and replaced (`'stuck'`, `'replaced'`). 0: never. **Default:** 2,000 ms. */
  stuckAfterMs?: number;
  /** Of V8's heap. Buffers and ArrayBuffers are not bounded by it. */
  resourceLimits?: ResourceLimits;
  /** **Default:** a copy of this process's. */
  env?: NodeJS.ProcessEnv;
  /** Node's options for the worker; a module in TypeScript needs one. **Default:** this process's. */
  execArgv?: string[];
}

/** What a task gets as its second argument. */
export interface TaskContext<WorkerData = unknown> {
  /** Aborts when the caller's signal does, or after `timeoutMs`, as soon as the worker's event loop turns. */
  readonly signal: AbortSignal;
  /** The same as a flag in shared memory: a loop that never yields sees it. Costs some 30 ns. */
  readonly aborted: boolean;
  /** 0 to `workers` − 1; a replaced worker has its predecessor's. */
  readonly workerIndex: number;
  readonly workerData: WorkerData;
}

/* eslint-disable @typescript-eslint/no-explicit-any -- what a task takes and answers is for its module to say */
export type TaskFunction = (task: any, context: TaskContext<any>) => unknown;

/** The module of a pool that is not typed by one. */
export type AnyTasks = { default: (task: any, context: TaskContext<any>) => any } & Record<
  string,
  (task: any, context: TaskContext<any>) => any
>;

/** The exports of a module that are tasks. */
export type TaskName<M> = { [N in keyof M]: M[N] extends TaskFunction ? N : never }[keyof M] & string;
export type TaskInput<M, N extends TaskName<M>> = M[N] extends (task: infer T, ...rest: any[]) => unknown ? T : never;
export type TaskOutput<M, N extends TaskName<M>> = M[N] extends (...args: any[]) => infer R ? Awaited<R> : never;
/* eslint-enable @typescript-eslint/no-explicit-any */

export interface RunOptions<N extends string = string> {
  /** The export to call. **Default:** `default`. */
  name?: N;
  /**
   * Queued: the task is removed. Running: its promise rejects at once, `context.aborted` and `context.signal` tell it,
   * and if it still runs after `stuckAfterMs` its worker is replaced.
   */
  signal?: AbortSignal | undefined;
  /** Moved to the worker, not copied. Such a task is sent to an idle worker only. */
  transferList?: readonly TransferListItem[];
  /** Higher ones first; a safe integer. **Default:** 0. */
  priority?: number;
  /** From the call of `run` on, in milliseconds, then as with `signal`. 0, the **default**: no limit. */
  timeoutMs?: number;
}

/** What happened to a worker. */
export interface WorkerReport {
  readonly workerIndex: number;
  /** `warn` and `stuck`: how long it has been blocked. `replaced`: how long its place was empty. */
  readonly elapsedMs: number;
  /** Where it was, as of `Error.stack` without the first line; absent when it could not be asked (native calls). */
  readonly stack?: string;
  /** Absent when it was recycled after `recycleAfterTasks`. */
  readonly reason?: 'stuck' | 'exit' | 'memory' | 'error';
  readonly error?: Error;
}

export interface WorkerPoolEvents {
  /** A task has blocked its worker for `warnAfterMs`. */
  warn: [WorkerReport];
  /** … for `stuckAfterMs`; the worker is being terminated. */
  stuck: [WorkerReport];
  /** Another worker is in its place. */
  replaced: [WorkerReport];
  /** Nothing is queued or running any more. */
  drain: [];
  /** A worker will not come back. */
  error: [Error];
  close: [];
}

/**
 * Tasks ever given to `run` = `completed` + `failed` + `rejected` + `queued` + `running`.
 */
export interface WorkerPoolStats {
  /** Not begun. */
  readonly queued: number;
  readonly running: number;
  readonly completed: number;
  /** Begun, and rejected: they threw, were aborted or timed out, or lost their worker. */
  readonly failed: number;
  /** Never begun: no room, dropped, aborted, timed out, or the pool was closed. */
  readonly rejected: number;
  /** Workers replaced, recycled ones included. */
  readonly replaced: number;
  /** From `run` to the start, of tasks that ended on a worker; at most 6.25 % above the truth. */
  readonly waitMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** From the start to the end. */
  readonly runMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export type WorkerPoolOptions = WorkerOptions & {
  /** The module whose exports are the tasks: a path, or a `file:` URL. */
  filename: string | URL;
  queue?: {
    /** Tasks that may wait, beside one a worker, 0 to 2^24. **Default:** 65,536. */
    capacity?: number;
    /**
     * When it is full: `reject` refuses the new task (`ERR_POOL_QUEUE_FULL`), `drop-oldest` rejects the oldest one of
     * the lowest priority (`ERR_TASK_DROPPED`). **Default:** `reject`.
     */
    overflow?: 'reject' | 'drop-oldest';
  };
  /** Workers that are ready to take a lost one's place, 0 to 16. **Default:** 1. */
  spares?: number;
  /** A worker is replaced when it has run so many. **Default:** never. */
  recycleAfterTasks?: number;
  /** … when its heap and its ArrayBuffers, garbage included, are above so many bytes after a task. **Default:** never. */
  recycleAboveBytes?: number;
};
