import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { checkInteger, checkObject, checkOneOf, codedError, integerOption } from '@millrace/native';
import { errors } from './errors.js';
import { maxSeats, type NativeFeed } from './native.js';
import type { Reports } from './reports.js';
import { tokenOf } from './token.js';
import type { WorkerOptions, WorkerReport } from './types.js';
import { type SeatHost, WorkerSeat } from './worker-seat.js';
import { WorkerThread } from './worker-thread.js';

export interface GroupOptions extends WorkerOptions {
  filename: string | URL;
  dispatch?: 'sticky' | 'shared';
  signal?: AbortSignal;
}

const MIN_CHECK_MS = 5;
const MAX_CHECK_MS = 250;

/** The workers of one `consumeWith`: started together, watched, replaced one by one, stopped together. */
export class WorkerGroup implements SeatHost {
  readonly native: NativeFeed;
  readonly warnAfterMs: number;
  readonly stuckAfterMs: number;
  readonly #reports: Reports;
  readonly #options: GroupOptions;
  readonly #module: string;
  readonly #threads = new Set<WorkerThread>();
  readonly #group: number;
  readonly #tickets: Uint32Array;
  #seats: WorkerSeat[] = [];
  #state: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting';
  #timer: NodeJS.Timeout | undefined;
  readonly #checkMs: number;
  #checkedAt = performance.now();
  #held: boolean;
  #started!: { resolve(): void; reject(error: Error): void };
  #stopped: Promise<void> | undefined;

  /** `keyed`: whether the feed has keys, by which workers can be chosen. */
  constructor(native: NativeFeed, reports: Reports, options: GroupOptions, keyed: boolean, held: boolean) {
    this.native = native;
    this.#reports = reports;
    this.#held = held;
    checkObject('options', options);
    this.#module = moduleUrl(options.filename);
    const workers = integerOption('options.workers', options.workers, {
      min: 1,
      max: maxSeats,
      default: Math.max(1, availableParallelism() - 1),
    });
    this.warnAfterMs = milliseconds('options.warnAfterMs', options.warnAfterMs, 100);
    this.stuckAfterMs = milliseconds('options.stuckAfterMs', options.stuckAfterMs, 2000);
    const limits = [this.warnAfterMs, this.stuckAfterMs].filter((limit) => limit > 0);
    this.#checkMs = Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, Math.min(...limits) / 4));
    const dispatch = checkOneOf('options.dispatch', options.dispatch, ['sticky', 'shared', undefined]);
    if (dispatch === 'sticky' && !keyed) {
      throw errors.invalidOption('options.dispatch', 'can be "sticky" only for a feed with keys', dispatch);
    }
    this.#options = options;
    const tickets = new Uint32Array(workers);
    this.#group = this.native.openGroup(keyed && dispatch !== 'shared', tickets);
    if (this.#group === 0) throw errors.noSeat(maxSeats);
    this.#tickets = tickets;
  }

  /** Resolves when every worker is ready; rejects, with all of them stopped, when one does not start. */
  async start(): Promise<void> {
    const started = new Promise<void>((resolve, reject) => (this.#started = { resolve, reject }));
    // Awaited below, unless a thread cannot even be made.
    started.catch(() => {});
    try {
      this.#tickets.forEach((ticket, index) => this.#seats.push(new WorkerSeat(this, ticket, index)));
      await started;
    } catch (error) {
      await this.stop(true);
      throw error;
    }
  }

  spawn(seat: WorkerSeat): WorkerThread {
    const place = { token: tokenOf(this.native), ticket: seat.ticket, workerIndex: seat.index, module: this.#module };
    const thread: WorkerThread = new WorkerThread(place, this.#options, {
      ready: () => this.#ready(seat, thread),
      failed: (error, suppressed) => this.#reports.batchFailed(error, suppressed),
      exited: () => this.#exited(thread),
    });
    thread.holdLoop(this.#held);
    this.#threads.add(thread);
    return thread;
  }

  #ready(seat: WorkerSeat, thread: WorkerThread): void {
    if (thread === seat.thread) seat.ready(performance.now());
    if (this.#state !== 'starting' || !this.#seats.every((one) => one.thread.state === 'ready')) return;
    this.#state = 'running';
    this.#checkedAt = performance.now();
    if (this.#checkMs !== Infinity) this.#timer = setInterval(() => this.check(), this.#checkMs).unref();
    this.#started.resolve();
  }

  #exited(thread: WorkerThread): void {
    this.#threads.delete(thread);
    if (this.#state === 'starting') {
      this.#started.reject(errors.workerModule(this.#module, thread.error ?? new Error('it was stopped')));
    } else {
      this.check();
    }
  }

  /** As `check`, on a thread whose event loop does not turn: takes the workers' mail in too. */
  checkWhileBlocked(): void {
    for (const thread of this.#threads) thread.receivePending();
    this.check();
  }

  /** Looks after every seat now. Does not call back into the application: events follow later. */
  check(): void {
    const now = performance.now();
    // While this thread itself stood still it cannot say that others did.
    const passedMs = Math.min(now - this.#checkedAt, 2 * this.#checkMs);
    this.#checkedAt = now;
    if (this.#state === 'running') {
      for (const seat of this.#seats) seat.check(now, passedMs);
    } else if (this.#state === 'stopping' && this.stuckAfterMs > 0) {
      for (const thread of this.#threads) {
        if (thread.silentMs(now) >= this.stuckAfterMs) thread.terminate();
      }
    }
  }

  // Threads that hang in a native call hold memory: there are not to be ever more of them.
  mayReplace(): boolean {
    return this.native.evicted() < Math.max(4, this.#seats.length);
  }

  report(event: 'warn' | 'stuck' | 'replaced', report: WorkerReport): void {
    this.#reports.emit(event, report);
  }

  lost(seat: WorkerSeat, error: Error): void {
    this.#seats = this.#seats.filter((one) => one !== seat);
    this.#reports.emit('error', error);
  }

  /** Lets batches finish, then ends the workers; `force`: ends them at once. */
  stop(force: boolean): Promise<void> {
    if (force) this.#terminateAll();
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const starting = this.#state === 'starting';
    this.#state = 'stopping';
    this.native.closeGroup(this.#group);
    if (starting) {
      this.#started.reject(errors.closed());
      this.#terminateAll();
    }
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.check(), Math.min(this.#checkMs, MAX_CHECK_MS)).unref();
    await Promise.all([...this.#threads].map((thread) => thread.exit));
    clearInterval(this.#timer);
    this.#state = 'stopped';
  }

  #terminateAll(): void {
    for (const thread of this.#threads) thread.terminate();
  }

  /** The start is not awaited any more. */
  abort(error: Error): void {
    this.#started.reject(error);
  }

  holdLoop(hold: boolean): void {
    this.#held = hold;
    for (const thread of this.#threads) thread.holdLoop(hold);
  }
}

function milliseconds(name: string, value: number | undefined, fallback: number): number {
  return value === undefined ? fallback : checkInteger(name, value, 0, 2 ** 31 - 1);
}

function moduleUrl(filename: string | URL): string {
  if (filename instanceof URL) return filename.href;
  if (typeof filename === 'string' && filename !== '') {
    return filename.startsWith('file:') ? filename : pathToFileURL(filename).href;
  }
  const message = `The "options.filename" property must be of type string or an instance of URL. Received ${String(filename)}`;
  throw codedError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}
