import { performance } from 'node:perf_hooks';
import { errors } from '../errors.js';
import type { WorkerReport } from '../types.js';
import { Seat, type SeatWatch } from './seat.js';
import type { SupervisedThread } from './supervised-thread.js';

/** Threads in a row that may end without having done anything. */
const MOST_FUTILE = 8;
/** Threads that may have been terminated and not ended, at least. */
const FEWEST_UNJOINED = 4;
/** How long a thread that is to end may go on starting. */
const START_MS = 1000;
const MIN_CHECK_MS = 5;
const MAX_CHECK_MS = 250;

export interface SupervisorOptions {
  seats: number;
  spares: number;
  warnAfterMs: number;
  stuckAfterMs: number;
}

/** What the threads do, as their supervisor sees it. None of these may throw. */
export interface SupervisedWork<T extends SupervisedThread> extends Omit<SeatWatch<T>, 'warnAfterMs' | 'stuckAfterMs'> {
  /** Starts a thread; `exited` is to be called at its end, `Supervisor.ready` when it can take a seat. */
  spawn(exited: (thread: T) => void): T;
  /** From here on the thread may be given something. */
  seated(thread: T, index: number): void;
  /** The thread has lost its seat: what it was given and has not begun goes elsewhere. True if it has done anything. */
  unseated(thread: T, report: WorkerReport): boolean;
  /** The thread is still starting: it is to end by itself when it has. */
  dismiss(thread: T): void;
  /** The thread that was starting has ended: why. */
  failure(thread: T): unknown;
  report(event: 'warn' | 'stuck' | 'replaced', report: WorkerReport): void;
  /** No thread can be had any more (`all`), or not so many as there are seats. */
  lost(error: Error, all: boolean): void;
}

/**
 * Keeps threads on seats: starts them, watches them, terminates the ones that are stuck, and puts a spare in the place of
 * one that is lost. For the thread that made it. Owns the threads and a timer. A lost
 * thread's successor does not wait for its end, which a native call may delay; how many may be under way to their ends is
 * bounded. A check costs a microsecond a seat, and there are none while nothing is done.
 */
export class Supervisor<T extends SupervisedThread> {
  readonly seats: Seat<T>[] = [];
  readonly #options: SupervisorOptions;
  readonly #work: SupervisedWork<T>;
  readonly #threads = new Set<T>();
  readonly #spares: T[] = [];
  readonly #checkMs: number;
  readonly #starting = new Set<T>();
  #everReady = false;
  #futile = 0;
  /** Set once no more threads are started. */
  #loss: Error | undefined;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #checkedAt = 0;
  replaced = 0;

  constructor(options: SupervisorOptions, work: SupervisedWork<T>) {
    this.#options = options;
    this.#work = work;
    const { seats, warnAfterMs, stuckAfterMs } = options;
    const limits = [warnAfterMs, stuckAfterMs].filter((limit) => limit > 0);
    this.#checkMs = Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, Math.min(...limits) / 4));
    const watch: SeatWatch<T> = {
      warnAfterMs,
      stuckAfterMs,
      observe: (thread) => work.observe(thread),
      ping: (thread) => work.ping(thread),
      requestStack: (thread) => work.requestStack(thread),
      takeStack: (thread) => work.takeStack(thread),
    };
    for (let i = 0; i < seats; i++) this.seats.push(new Seat(watch, i));
  }

  /** Starts as many threads as there are seats without one, and then spares. */
  fill(): void {
    if (this.#stopped || this.#loss !== undefined) return;
    const { spares, seats } = this.#options;
    const vacant = this.#vacant;
    const wanted = vacant > 0 ? vacant : spares - this.#spares.length;
    const unjoined = [...this.#threads].filter((thread) => thread.terminated).length;
    if (unjoined >= Math.max(FEWEST_UNJOINED, seats)) return;
    while (this.#starting.size < wanted) {
      try {
        const thread = this.#work.spawn((one) => this.#exited(one));
        this.#threads.add(thread);
        this.#starting.add(thread);
      } catch (error) {
        this.#giveUp(error);
        return;
      }
    }
  }

  /** The thread can take a seat. */
  ready(thread: T): void {
    if (!this.#starting.delete(thread)) return;
    thread.state = 'ready';
    if (this.#stopped) thread.terminate();
    if (thread.terminated) return;
    this.#everReady = true;
    this.#spares.push(thread);
    this.#seatSpares();
    this.fill();
  }

  #seatSpares(): void {
    for (const seat of this.seats) {
      if (seat.thread !== undefined) continue;
      const thread = this.#spares.shift();
      if (thread === undefined) return;
      seat.seat(thread);
      this.#work.seated(thread, seat.index);
      const { loss } = seat;
      if (loss === undefined) continue;
      seat.loss = undefined;
      this.replaced++;
      const elapsedMs = performance.now() - seat.lostAt;
      this.#work.report('replaced', { workerIndex: seat.index, elapsedMs, ...loss });
    }
  }

  /** Takes the thread off its seat, for another to sit there. */
  replace(seat: Seat<T>, loss: Pick<WorkerReport, 'reason' | 'error' | 'stack'>, elapsedMs = 0): void {
    const { thread } = seat;
    if (thread === undefined) return;
    seat.thread = undefined;
    seat.lostAt = performance.now();
    const { stack: _, ...kept } = loss;
    seat.loss = kept;
    const didSomething = this.#work.unseated(thread, { workerIndex: seat.index, elapsedMs, ...loss });
    this.#futile = didSomething ? 0 : this.#futile + 1;
    thread.terminate();
    if (this.#futile >= MOST_FUTILE) {
      this.#giveUp(errors.workerLost(this.#futile, loss.error));
      return;
    }
    this.#seatSpares();
    if (this.#loss !== undefined && this.#vacant === this.seats.length) this.#work.lost(this.#loss, true);
    this.fill();
  }

  #exited(thread: T): void {
    this.#threads.delete(thread);
    const wasStarting = this.#starting.delete(thread);
    if (this.#stopped) return;
    const spare = this.#spares.indexOf(thread);
    if (spare >= 0) this.#spares.splice(spare, 1);
    const seat = this.seats.find((one) => one.thread === thread);
    if (seat !== undefined) {
      this.replace(seat, { reason: thread.reason, ...(thread.error && { error: thread.error }) });
    } else if (wasStarting && !thread.terminated) {
      // What loaded before may load again; what never did will not.
      if (!this.#everReady || ++this.#futile >= MOST_FUTILE) this.#giveUp(this.#work.failure(thread));
    } else if (spare >= 0 && ++this.#futile >= MOST_FUTILE) {
      // It ended while it had nothing to do: its module does that.
      this.#giveUp(errors.workerLost(this.#futile, thread.error));
    }
    this.fill();
  }

  #giveUp(cause: unknown): void {
    if (this.#loss !== undefined || this.#stopped) return;
    for (const thread of this.#threads) if (!this.seats.some((seat) => seat.thread === thread)) thread.terminate();
    this.#spares.length = 0;
    this.#loss = cause instanceof Error ? cause : new Error(String(cause));
    this.#work.lost(this.#loss, this.#vacant === this.seats.length);
  }

  get #vacant(): number {
    return this.seats.filter((seat) => seat.thread === undefined).length;
  }

  /** The threads have something to do: looks after them until they have not. */
  watch(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#checkedAt = performance.now();
    this.#timer = setInterval(() => this.check(), this.#checkMs).unref();
  }

  /** Looks after every seat now. */
  check(): void {
    const now = performance.now();
    // While this thread itself stood still it cannot say that others did.
    const passedMs = Math.min(now - this.#checkedAt, 2 * this.#checkMs);
    this.#checkedAt = now;
    let busy = false;
    for (const seat of this.seats) {
      const verdict = seat.check(passedMs);
      busy ||= seat.busy;
      if (verdict === undefined) continue;
      const { event, report } = verdict;
      this.#work.report(event, report);
      if (event === 'stuck') {
        const { stack } = report;
        this.replace(seat, { reason: 'stuck', ...(stack !== undefined && { stack }) }, report.elapsedMs);
      }
    }
    if (!busy) this.#unwatch();
  }

  #unwatch(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #terminateStarting(): void {
    for (const thread of this.#starting) thread.terminate();
  }

  /** Ends all threads. Resolves when they have ended, or `graceMs` later. */
  async stop(graceMs = Infinity): Promise<void> {
    this.#stopped = true;
    this.#unwatch();
    for (const thread of this.#threads) {
      // Node leaks a descriptor when a thread is terminated in the middle of reading a module.
      if (this.#starting.has(thread)) this.#work.dismiss(thread);
      else thread.terminate();
    }
    if (this.#starting.size > 0) setTimeout(() => this.#terminateStarting(), START_MS).unref();
    const ends = [...this.#threads].map((thread) => thread.exit);
    if (graceMs === Infinity) {
      await Promise.all(ends);
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, graceMs)));
    await Promise.race([Promise.all(ends), late]);
    clearTimeout(timer);
  }
}
