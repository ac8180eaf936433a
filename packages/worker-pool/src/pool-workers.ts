import type { Dispatcher } from './dispatcher.js';
import { errors } from './errors.js';
import { Word } from './layout.js';
import { type DoorHandle, native } from './native.js';
import type { CheckedOptions } from './options.js';
import { PoolThread } from './pool-thread.js';
import type { Observation } from './supervision/seat.js';
import { type SupervisedWork, Supervisor } from './supervision/supervisor.js';
import type { WorkerOptions, WorkerReport } from './types.js';

type Report = (event: 'warn' | 'stuck' | 'replaced' | 'error', argument: WorkerReport | Error) => void;

/**
 * The threads of a pool: what their supervisor has to know of them, and the door by which they reach the pool. For the
 * pool's thread. Owns the door, which keeps the process alive while tasks are pending. All answers of a moment come by one
 * ring.
 */
export class PoolWorkers implements SupervisedWork<PoolThread> {
  /** Why no task can be run any more. */
  broken: Error | undefined;
  readonly #options: WorkerOptions;
  readonly #checked: CheckedOptions;
  readonly #dispatcher: Dispatcher;
  readonly #report: Report;
  readonly #supervisor: Supervisor<PoolThread>;
  /** Those that may still have something to say. */
  readonly #threads = new Set<PoolThread>();
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #door: number;
  #handle: DoorHandle | undefined;
  #keepAlive: boolean | undefined;
  #wanted = false;
  #closing = false;
  #held = false;

  constructor(options: WorkerOptions, checked: CheckedOptions, dispatcher: Dispatcher, report: Report) {
    this.#options = options;
    this.#checked = checked;
    this.#dispatcher = dispatcher;
    this.#report = report;
    const { id, handle } = native.open(() => this.#onRing());
    this.#door = id;
    this.#handle = handle;
    const { workers: seats, spares, warnAfterMs, stuckAfterMs } = checked;
    this.#supervisor = new Supervisor({ seats, spares, warnAfterMs, stuckAfterMs }, this);
    this.#supervisor.fill();
  }

  get replaced(): number {
    return this.#supervisor.replaced;
  }

  #onRing(): void {
    // Before looking: what is answered after this rings again.
    Atomics.store(this.#bell, 0, 0);
    for (const thread of this.#threads) {
      if (thread.state === 'starting' && thread.lane.word(Word.Door) !== 0) this.#supervisor.ready(thread);
      this.#dispatcher.collect(thread);
    }
    this.#recycle();
    this.dispatch();
  }

  dispatch(): void {
    this.#dispatcher.dispatch();
    if (this.#dispatcher.busy) this.#supervisor.watch();
  }

  #recycle(): void {
    const { recycleAfterTasks, recycleAboveKib } = this.#checked;
    for (const seat of this.#supervisor.seats) {
      const { thread } = seat;
      if (thread === undefined) continue;
      const { lane } = thread;
      // One that is too large before its first task will not get smaller by being replaced.
      const large = lane.answered > 0 && lane.word(Word.HeapKib) > recycleAboveKib;
      if (!large && !thread.retiring && lane.answered < recycleAfterTasks) continue;
      if (this.#dispatcher.retire(thread)) this.#supervisor.replace(seat, large ? { reason: 'memory' } : {});
    }
  }

  // --- For the supervisor ---

  spawn(exited: (thread: PoolThread) => void): PoolThread {
    const { module } = this.#checked;
    const bell = this.#bell.buffer;
    const start = { bell, door: this.#door, module, workerData: this.#options.workerData };
    const thread = new PoolThread(start, this.#options, (one) => {
      exited(one);
      this.#threads.delete(one);
      one.lane.close();
      this.dispatch();
    });
    this.#threads.add(thread);
    return thread;
  }

  seated(thread: PoolThread, index: number): void {
    thread.lane.workerIndex = index;
    this.#dispatcher.addThread(thread);
    this.dispatch();
  }

  unseated(thread: PoolThread, report: WorkerReport): boolean {
    this.#threads.delete(thread);
    const { workerIndex, elapsedMs, reason, stack, error } = report;
    this.#dispatcher.removeThread(thread, () =>
      reason === 'stuck'
        ? errors.stuck(workerIndex, elapsedMs, stack)
        : errors.workerExit(workerIndex, error ?? errors.exited(0)),
    );
    return thread.lane.word(Word.Started) !== 0;
  }

  dismiss(thread: PoolThread): void {
    thread.lane.dismiss();
  }

  failure(thread: PoolThread): unknown {
    return errors.workerModule(this.#checked.module, thread.lane.takeFailure() ?? thread.error);
  }

  observe(thread: PoolThread): Observation {
    // This thread may have stood still, with answers lying there.
    this.#dispatcher.collect(thread);
    const { lane, overdueSince } = thread;
    return {
      busy: lane.outstanding > 0,
      progress: `${lane.word(Word.Started)} ${lane.word(Word.Done)} ${lane.word(Word.Turns)}`,
      overdueMs: overdueSince === undefined ? 0 : performance.now() - overdueSince,
    };
  }

  ping(thread: PoolThread): void {
    thread.lane.ring();
  }

  requestStack(thread: PoolThread): boolean {
    return native.requestStack(thread.lane.word(Word.Door));
  }

  takeStack(thread: PoolThread): string | undefined {
    return native.takeStack(thread.lane.word(Word.Door));
  }

  report(event: 'warn' | 'stuck' | 'replaced', report: WorkerReport): void {
    this.#report(event, report);
  }

  lost(error: Error, all: boolean): void {
    if (all) {
      this.broken = error;
      this.#dispatcher.abandonAll(() => error);
    }
    this.#report('error', error);
  }

  // --- Life ---

  /** `true`: always; `false`: never; unset: while it is wanted. */
  set keepAlive(keepAlive: boolean) {
    this.#keepAlive = keepAlive;
    this.hold(this.#wanted);
  }

  /** Whether somebody waits for what the threads do. */
  hold(wanted: boolean): void {
    this.#wanted = wanted;
    const held = this.#closing || (this.#keepAlive ?? wanted);
    if (held === this.#held || this.#handle === undefined) return;
    this.#held = held;
    native.hold(this.#handle, held);
  }

  /** From here on somebody waits for their ends, whatever else was said. */
  closing(): void {
    this.#closing = true;
    this.hold(true);
  }

  stop(graceMs: number): Promise<void> {
    return this.#supervisor.stop(graceMs);
  }

  shut(): void {
    if (this.#handle !== undefined) native.shut(this.#handle);
    this.#handle = undefined;
  }
}
