import type { WorkerReport } from '../types.js';
import type { SupervisedThread } from './supervised-thread.js';

/** What a thread says of itself through memory, for which its event loop need not turn. */
export interface Observation {
  /** It has something to do. */
  busy: boolean;
  /** Changes whenever it gets on with it, or its event loop turns. */
  progress: string;
  /** How long it has been at something that nobody wants any more. */
  overdueMs: number;
}

export interface SeatWatch<T> {
  readonly warnAfterMs: number;
  readonly stuckAfterMs: number;
  observe(thread: T): Observation;
  /** Asks the thread's event loop to turn. */
  ping(thread: T): void;
  requestStack(thread: T): boolean;
  takeStack(thread: T): string | undefined;
}

/** Checks that a report waits for a stack: a thread in a native call never gives one. */
const STACK_CHECKS = 3;

export type Verdict = { readonly event: 'warn' | 'stuck'; readonly report: WorkerReport };

/** A place for one thread at a time, and the watch over who sits there. For one thread. Costs a look a check. */
export class Seat<T extends SupervisedThread> {
  thread: T | undefined;
  /** At the last check its thread had something to do. */
  busy = false;
  /** When and why the last one was lost. */
  lostAt = 0;
  loss: Pick<WorkerReport, 'reason' | 'error'> | undefined;
  readonly #watch: SeatWatch<T>;
  #progress = '';
  #blockedMs = 0;
  #warning: 'none' | 'asked' | 'given' = 'none';
  #stack: string | undefined;
  #waited = 0;

  constructor(
    watch: SeatWatch<T>,
    readonly index: number,
  ) {
    this.#watch = watch;
  }

  seat(thread: T): void {
    this.thread = thread;
    this.#progress = '';
    this.#blockedMs = 0;
    this.#warning = 'none';
    this.#stack = undefined;
  }

  /**
   * @param passedMs - since the last check, as far as this thread was running itself
   * @returns what is to be reported; after `stuck` the thread is to be replaced
   */
  check(passedMs: number): Verdict | undefined {
    const { thread } = this;
    this.busy = false;
    if (thread === undefined) return undefined;
    const { warnAfterMs, stuckAfterMs } = this.#watch;
    const { busy, progress, overdueMs } = this.#watch.observe(thread);
    if (!busy || progress !== this.#progress) {
      this.#progress = progress;
      this.#blockedMs = 0;
      this.#warning = 'none';
      this.#stack = undefined;
    } else {
      this.#blockedMs += passedMs;
    }
    this.busy = busy;
    if (!busy) return undefined;
    // An event loop that turns answers, whatever its task waits for.
    this.#watch.ping(thread);
    const elapsedMs = Math.max(this.#blockedMs, overdueMs);
    if (stuckAfterMs > 0 && elapsedMs >= stuckAfterMs) {
      return { event: 'stuck', report: this.#report(elapsedMs, thread, 'stuck') };
    }
    if (warnAfterMs === 0 || this.#blockedMs < warnAfterMs || this.#warning === 'given') return undefined;
    // The stack takes a moment: the report comes with a later check.
    if (this.#warning === 'none' && this.#watch.requestStack(thread)) {
      this.#warning = 'asked';
      this.#waited = 0;
      return undefined;
    }
    this.#stack = this.#watch.takeStack(thread);
    if (this.#warning === 'asked' && this.#stack === undefined && ++this.#waited < STACK_CHECKS) return undefined;
    this.#warning = 'given';
    return { event: 'warn', report: this.#report(this.#blockedMs, thread) };
  }

  #report(elapsedMs: number, thread: T, reason?: 'stuck'): WorkerReport {
    const stack = reason === undefined ? this.#stack : (this.#watch.takeStack(thread) ?? this.#stack);
    if (reason === undefined) this.#watch.requestStack(thread);
    return { workerIndex: this.index, elapsedMs, ...(reason && { reason }), ...(stack !== undefined && { stack }) };
  }
}
