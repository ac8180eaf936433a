import { errors } from './errors.js';
import { type NativeFeed, Seat } from './native.js';
import type { WorkerReport } from './types.js';
import type { WorkerThread } from './worker-thread.js';

/** How long a terminated worker may take to leave its seat by itself before it is evicted. */
const GRACE_MS = 100;
/** Workers in a row that may end without finishing a batch. */
const MAX_FUTILE = 8;

export interface SeatHost {
  readonly native: NativeFeed;
  readonly warnAfterMs: number;
  readonly stuckAfterMs: number;
  spawn(seat: WorkerSeat): WorkerThread;
  /** False while too many terminated threads have not ended. */
  mayReplace(): boolean;
  report(event: 'warn' | 'stuck' | 'replaced', report: WorkerReport): void;
  /** The seat is given up. */
  lost(seat: WorkerSeat, error: Error): void;
}

/**
 * The supervision of one seat: who sits there is watched for progress, terminated when stuck, and replaced when gone.
 * `check` is called by a timer, by the doorbell and, while this thread waits in `push`, between two waits; it works
 * by what the feed says of the seat, for which no event loop has to turn.
 */
export class WorkerSeat {
  thread: WorkerThread;
  readonly #host: SeatHost;
  readonly #report = new Uint32Array(Seat.Length);
  #state: 'starting' | 'running' | 'terminating' | 'empty' | 'given-up' = 'starting';
  #progress = '';
  #idleMs = 0;
  #warned = false;
  #since = 0;
  #lossAt = 0;
  #loss: { reason: NonNullable<WorkerReport['reason']> | undefined; thread: WorkerThread } | undefined;
  #settled = 0;
  #futile = 0;

  constructor(
    host: SeatHost,
    readonly ticket: number,
    readonly index: number,
  ) {
    this.#host = host;
    this.thread = host.spawn(this);
  }

  /** The thread has taken the seat. */
  ready(now: number): void {
    if (this.#state !== 'starting') return;
    this.#state = 'running';
    this.#idleMs = 0;
    this.#warned = false;
    const loss = this.#loss;
    this.#loss = undefined;
    if (loss === undefined) return;
    const { error } = loss.thread;
    this.#host.report('replaced', {
      workerIndex: this.index,
      elapsedMs: now - this.#lossAt,
      reason: loss.reason ?? loss.thread.reason,
      ...(error && { error }),
    });
  }

  /** `passedMs`: since the last check, as far as this thread was running itself. */
  check(now: number, passedMs: number): void {
    if (this.#state === 'given-up') return;
    if (this.#state === 'empty') {
      this.#replace();
      return;
    }
    if (this.#state === 'starting') {
      if (this.thread.state === 'exited') this.#lose(now, undefined);
      return;
    }
    this.#host.native.inspect(this.ticket, this.#report);
    if (this.#report[Seat.Occupied] === 0) {
      this.#lose(now, this.#state === 'terminating' ? 'stuck' : undefined);
    } else if (this.#state === 'terminating') {
      if (now - this.#since < GRACE_MS) return;
      // It is in a native call that does not return: it runs no JavaScript any more, so nothing is handled twice.
      this.#host.native.evict(this.ticket);
      this.#lose(now, 'stuck');
    } else {
      this.#watch(now, passedMs);
    }
  }

  #watch(now: number, passedMs: number): void {
    const { native, warnAfterMs, stuckAfterMs } = this.#host;
    const report = this.#report;
    const progress = `${report[Seat.Batches]} ${report[Seat.Answers]} ${report[Seat.Started]}`;
    if (report[Seat.Busy] === 0 || progress !== this.#progress) {
      this.#progress = progress;
      this.#idleMs = 0;
      this.#warned = false;
    } else {
      this.#idleMs += passedMs;
    }
    // An event loop that turns answers, whatever its batch waits for.
    if (report[Seat.Busy] !== 0) native.ping(this.ticket);
    if (warnAfterMs > 0 && this.#idleMs >= warnAfterMs && !this.#warned) {
      this.#warned = true;
      this.#host.report('warn', { workerIndex: this.index, elapsedMs: this.#idleMs });
    }
    if (stuckAfterMs > 0 && this.#idleMs >= stuckAfterMs) {
      this.#host.report('stuck', { workerIndex: this.index, elapsedMs: this.#idleMs, reason: 'stuck' });
      this.#state = 'terminating';
      this.#since = now;
      this.thread.terminate();
    }
  }

  #lose(now: number, reason: NonNullable<WorkerReport['reason']> | undefined): void {
    if (this.#loss === undefined) this.#lossAt = now;
    this.#loss = { reason, thread: this.thread };
    this.#host.native.inspect(this.ticket, this.#report);
    const settled = this.#report[Seat.Settled]!;
    this.#futile = settled === this.#settled ? this.#futile + 1 : 0;
    this.#settled = settled;
    if (this.#futile >= MAX_FUTILE) {
      this.#state = 'given-up';
      this.#host.native.removeSeat(this.ticket);
      this.#host.lost(this, errors.workerLost(this.index, MAX_FUTILE, this.thread.error));
      return;
    }
    this.#state = 'empty';
    this.#replace();
  }

  #replace(): void {
    if (!this.#host.mayReplace()) return;
    this.#state = 'starting';
    this.thread = this.#host.spawn(this);
  }
}
