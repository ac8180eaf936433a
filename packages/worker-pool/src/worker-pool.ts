import { EventEmitter } from 'node:events';
import { Dispatcher } from './dispatcher.js';
import { errors } from './errors.js';
import { AbortKind } from './layout.js';
import { checkCloseOptions, checkManyOptions, checkOptions, checkRunOptions, type CheckedOptions } from './options.js';
import { PoolWorkers } from './pool-workers.js';
import { SignalTasks } from './signal-tasks.js';
import { Task } from './task.js';
import type {
  AnyTasks,
  RunOptions,
  TaskInput,
  TaskName,
  TaskOutput,
  WorkerPoolEvents,
  WorkerPoolOptions,
  WorkerPoolStats,
} from './types.js';

/** What a forced close gives threads to end in; one that is in a native call ends when that returns. */
const GRACE_MS = 100;

/**
 * Runs the functions of a module on worker threads, one task at a time each. Every call is for the thread that made the
 * pool. It owns the threads and, for each, 150 KiB of shared memory; `close` gives all of it back. A task that is a
 * number, a short string or bytes costs under a microsecond on each side, others what a `postMessage` costs.
 *
 * @example
 * ```ts
 * await using pool = new WorkerPool<typeof import('./tasks.js')>({ filename: new URL('./tasks.js', import.meta.url) });
 * const primes = await pool.run(1_000_000, { name: 'countPrimes', timeoutMs: 500 });
 * ```
 */
export class WorkerPool<M = AnyTasks> extends EventEmitter<WorkerPoolEvents> implements AsyncDisposable {
  /** The same as `run`. */
  declare enqueue: this['run'];
  readonly #options: CheckedOptions;
  readonly #dispatcher: Dispatcher;
  readonly #workers: PoolWorkers;
  readonly #signals = new SignalTasks((task, signal) =>
    this.#dispatcher.abandon(task, errors.abort(signal), AbortKind.Abort),
  );
  #flushing = false;
  #now = 0;
  #sequence = 0;
  #closed: Promise<void> | undefined;
  #drained: (() => void)[] = [];
  #force: (() => void) | undefined;

  /**
   * Starts the workers. A module that does not load is reported by the tasks.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`
   */
  constructor(options: WorkerPoolOptions) {
    super();
    this.#options = checkOptions(options);
    this.#dispatcher = new Dispatcher(this.#options, () => this.#onIdle());
    this.#workers = new PoolWorkers(options, this.#options, this.#dispatcher, (event, argument) => {
      // Later: a task may be on its way, and a listener may throw.
      process.nextTick(() => this.#emit(event, argument));
    });
  }

  #emit(event: 'warn' | 'stuck' | 'replaced' | 'error', argument: unknown): void {
    if (event !== 'error' || this.listenerCount('error') > 0) this.emit(event, argument as never);
    else if (!this.#workers.broken) process.emitWarning(argument as Error);
  }

  /**
   * Runs one task.
   *
   * @param task - anything that can be cloned; it is copied when a worker gets it, at the latest when that one is idle
   * @returns what the function answered, or rejects with what it threw
   * @throws (rejects) any `ErrorCode`, or `DataCloneError`
   */
  run<N extends TaskName<M> = 'default' & TaskName<M>>(
    task: TaskInput<M, N>,
    options?: RunOptions<N>,
  ): Promise<TaskOutput<M, N>> {
    return new Promise((resolve, reject) => {
      const timeoutMs = options === undefined ? 0 : checkRunOptions(options);
      const refusal = this.#refusal(1, options);
      if (refusal === undefined) this.#submit(task, options, timeoutMs, resolve as (value: unknown) => void, reject);
      else reject(refusal);
    });
  }

  /**
   * Runs many tasks; answers their results in the tasks' order, or rejects with the first failure, and the others go on.
   * With `overflow` `reject` either all of them fit into the queue or none is taken.
   * `options` are for each of them; a `transferList` is for one task only.
   */
  runMany<N extends TaskName<M> = 'default' & TaskName<M>>(
    tasks: readonly TaskInput<M, N>[],
    options?: RunOptions<N>,
  ): Promise<TaskOutput<M, N>[]> {
    return new Promise((resolve, reject) => {
      const timeoutMs = checkManyOptions(tasks, options);
      const refusal = this.#refusal(tasks.length, options);
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      const results = new Array<TaskOutput<M, N>>(tasks.length);
      let left = tasks.length;
      if (left === 0) resolve(results);
      // Of what entries() has, a hole is undefined; forEach() would leave it out.
      for (const [index, task] of tasks.entries()) {
        const done = (value: unknown): void => {
          results[index] = value as TaskOutput<M, N>;
          if (--left === 0) resolve(results);
        };
        this.#submit(task, options, timeoutMs, done, reject);
      }
    });
  }

  /** Why so many tasks cannot be taken. */
  #refusal(count: number, options: RunOptions | undefined): Error | undefined {
    const { overflow, capacity } = this.#options;
    let error: Error | undefined;
    if (this.#closed !== undefined) error = errors.closed();
    else if (this.#workers.broken !== undefined) error = this.#workers.broken;
    else if (options?.signal?.aborted === true) error = errors.abort(options.signal);
    else if (overflow === 'reject' && !this.#dispatcher.hasRoom(count)) error = errors.queueFull(capacity, count);
    if (error !== undefined) this.#dispatcher.figures.rejected += count;
    return error;
  }

  #submit(
    value: unknown,
    options: RunOptions | undefined,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    const dispatcher = this.#dispatcher;
    if (!dispatcher.hasRoom(1) && !dispatcher.dropOldest()) {
      dispatcher.figures.rejected++;
      reject(errors.queueFull(this.#options.capacity));
      return;
    }
    if (!this.#flushing) {
      this.#flushing = true;
      this.#now = performance.now();
      queueMicrotask(() => this.#flush());
    }
    const name = options?.name === 'default' ? undefined : options?.name;
    const sequence = this.#sequence++;
    const priority = options?.priority ?? 0;
    const task = new Task(value, name, priority, options?.transferList, sequence, this.#now, resolve, reject);
    const signal = options?.signal;
    if (signal !== undefined) {
      this.#signals.follow(task, signal);
      task.unfollow = () => this.#signals.forget(task, signal);
    }
    if (timeoutMs > 0) {
      const late = (): void => dispatcher.abandon(task, errors.timeout(timeoutMs), AbortKind.Timeout);
      task.timer = setTimeout(late, timeoutMs).unref();
    }
    dispatcher.add(task);
    if (dispatcher.unsettled === 1) this.#workers.hold(true);
  }

  #flush(): void {
    this.#flushing = false;
    this.#workers.dispatch();
  }

  #onIdle(): void {
    this.#workers.hold(false);
    for (const resolve of this.#drained.splice(0)) resolve();
    if (this.listenerCount('drain') > 0) process.nextTick(() => this.emit('drain'));
  }

  /** Resolves when nothing is queued or running: at once if nothing is. */
  drain(): Promise<void> {
    if (this.#dispatcher.unsettled === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /**
   * Takes no more tasks, runs what is queued, and ends the threads. Idempotent; an earlier limit is not lifted.
   *
   * @param options.timeoutMs - after which what has not ended rejects with `ERR_POOL_CLOSED` and threads are terminated.
   * 0: at once; absent: never. A thread that is in a native call then is not waited for longer than 100 ms.
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = checkCloseOptions(options);
    this.#closed ??= this.#close();
    if (timeoutMs === 0) {
      this.#giveUp(0);
    } else if (timeoutMs !== undefined) {
      const timer = setTimeout(() => this.#giveUp(timeoutMs), timeoutMs).unref();
      void this.#closed.then(() => clearTimeout(timer));
    }
    return this.#closed;
  }

  #giveUp(timeoutMs: number): void {
    this.#dispatcher.abandonAll(() => errors.gaveUp(timeoutMs));
    this.#force?.();
  }

  async #close(): Promise<void> {
    const forced = new Promise<void>((resolve) => (this.#force = resolve));
    this.#workers.closing();
    await this.drain();
    // What has settled may still run, given up by its caller.
    const joined = this.#workers.stop(Infinity);
    await Promise.race([joined, forced.then(() => this.#workers.stop(GRACE_MS))]);
    this.#workers.shut();
    process.nextTick(() => this.emit('close'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The pool keeps the process alive, idle or not. By default only pending tasks and `close` do. */
  ref(): this {
    this.#workers.keepAlive = true;
    return this;
  }

  /** The pool does not keep the process alive, whatever is pending. */
  unref(): this {
    this.#workers.keepAlive = false;
    return this;
  }

  stats(): WorkerPoolStats {
    const { unsettled, running, figures } = this.#dispatcher;
    const { completed, failed, rejected, waits, runs } = figures;
    return {
      queued: unsettled - running,
      running,
      completed,
      failed,
      rejected,
      replaced: this.#workers.replaced,
      waitMs: waits.summary(),
      runMs: runs.summary(),
    };
  }
}

// eslint-disable-next-line @typescript-eslint/unbound-method -- called as a method of the pool
WorkerPool.prototype.enqueue = WorkerPool.prototype.run;
