import { performance } from 'node:perf_hooks';
import { type BatchFunction, ConsumerLoop } from './consumer-loop.js';
import type { Doorbell } from './doorbell.js';
import { errors } from './errors.js';
import { maxSeats, type NativeFeed } from './native.js';
import type { Reports } from './reports.js';
import type { FeedKeyKind } from './types.js';
import { type GroupOptions, WorkerGroup } from './worker-group.js';

/** Everything that reads a feed on behalf of one handle: loops on this thread, and groups of workers. */
export class Consumers<K extends FeedKeyKind> {
  readonly #native: NativeFeed;
  readonly #doorbell: Doorbell;
  readonly #reports: Reports;
  readonly #ended: () => void;
  readonly #loops = new Set<ConsumerLoop<K>>();
  readonly #groups = new Set<WorkerGroup>();
  #arena: ArrayBuffer | undefined;
  #held = true;

  /** `ended` is called when a loop has come to its end. */
  constructor(native: NativeFeed, doorbell: Doorbell, reports: Reports, ended: () => void) {
    this.#native = native;
    this.#doorbell = doorbell;
    this.#reports = reports;
    this.#ended = ended;
  }

  here(run: BatchFunction<K>, signal: AbortSignal | undefined): Disposable {
    if (signal?.aborted) throw errors.abort(signal);
    const tickets = new Uint32Array(1);
    const group = this.#native.openGroup(false, tickets);
    if (group === 0) throw errors.noSeat(maxSeats);
    this.#doorbell.use();
    if (this.#held) this.#doorbell.hold(+1);
    const number = this.#native.occupy(tickets[0]!);
    this.#arena ??= this.#native.arena();
    const loop: ConsumerLoop<K> = new ConsumerLoop(this.#native, number, this.#arena, run, {
      failed: (error) => this.#reports.batchFailed(error, 0),
      ended: () => {
        signal?.removeEventListener('abort', dispose);
        this.#loops.delete(loop);
        if (this.#held) this.#doorbell.hold(-1);
        this.#doorbell.release();
        this.#ended();
      },
    });
    // Rings the loop, which then finds that it has no seat any more.
    const dispose = () => {
      if (this.#loops.has(loop)) this.#native.closeGroup(group);
    };
    this.#loops.add(loop);
    signal?.addEventListener('abort', dispose, { once: true });
    this.#native.ping(tickets[0]!);
    return { [Symbol.dispose]: dispose };
  }

  async onWorkers(options: GroupOptions, keyed: boolean): Promise<AsyncDisposable> {
    const signal = options?.signal;
    if (signal?.aborted) throw errors.abort(signal);
    const group = new WorkerGroup(this.#native, this.#reports, options, keyed, this.#held);
    this.#groups.add(group);
    this.#doorbell.use();
    const stop = async () => {
      signal?.removeEventListener('abort', abort);
      await group.stop(false);
      if (this.#groups.delete(group)) this.#doorbell.release();
    };
    const abort = () => {
      group.abort(errors.abort(signal!));
      void stop();
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await group.start();
    } catch (error) {
      await stop();
      throw error;
    }
    return { [Symbol.asyncDispose]: stop };
  }

  /** The doorbell has rung. */
  ring(): void {
    for (const loop of this.#loops) loop.ring();
    for (const group of this.#groups) group.check();
  }

  checkWhileBlocked(): void {
    for (const group of this.#groups) group.checkWhileBlocked();
  }

  hold(hold: boolean): void {
    if (hold === this.#held) return;
    this.#held = hold;
    this.#doorbell.hold(hold ? this.#loops.size : -this.#loops.size);
    for (const group of this.#groups) group.holdLoop(hold);
  }

  /** Ends all of them; workers finish their batches first, unless forced or at the deadline (`performance.now()`). */
  async stop(force: boolean, deadline?: number): Promise<void> {
    for (const loop of this.#loops) loop.abandon();
    const stopAll = (now: boolean) => Promise.all([...this.#groups].map((group) => group.stop(now)));
    const leftMs = deadline === undefined ? undefined : Math.max(0, deadline - performance.now());
    const timer = leftMs === undefined ? undefined : setTimeout(() => void stopAll(true), leftMs);
    await stopAll(force);
    clearTimeout(timer);
    if (this.#arena !== undefined) this.#native.detachView(this.#arena);
  }
}
