import { Batch, Lease } from './batch.js';
import { keyKinds } from './options.js';
import { type NativeFeed, NEXT_ENDED, NEXT_YIELD, Outcome } from './native.js';
import type { FeedBatch, FeedKeyKind } from './types.js';

export type BatchFunction<K extends FeedKeyKind> = (batch: FeedBatch<K>) => void | PromiseLike<void>;

export interface ConsumerHost {
  /** The batch function threw or rejected. Must not throw. */
  failed(error: unknown): void;
  /** The consumer has left its seat, after its last batch. */
  ended(): void;
}

/**
 * Reads one seat's messages on this thread: each ring runs batches until none is left, and lets the event loop turn
 * after 16 of them or 10 ms. One batch at a time: the next is leased when the one before has settled.
 */
export class ConsumerLoop<K extends FeedKeyKind> {
  readonly #native: NativeFeed;
  readonly #number: number;
  readonly #lease: Lease;
  readonly #run: BatchFunction<K>;
  readonly #host: ConsumerHost;
  #state: 'idle' | 'running' | 'yielded' | 'ended' = 'idle';
  #inTurn = false;

  /** `number`: what `occupy` answered. */
  constructor(native: NativeFeed, number: number, arena: ArrayBuffer, run: BatchFunction<K>, host: ConsumerHost) {
    this.#native = native;
    this.#number = number;
    this.#lease = new Lease(native.table(number), arena, keyKinds[native.keyKind]);
    this.#run = run;
    this.#host = host;
  }

  /** The doorbell of this thread was rung, for this consumer or another one. */
  ring(): void {
    if (this.#state === 'ended') return;
    this.#answer();
    if (this.#state === 'idle') this.#batches(Outcome.None, false);
  }

  // A ring may come several times in one turn of the event loop; the budget is that of the turn.
  #answer(): void {
    this.#native.answer(this.#number, !this.#inTurn);
    if (this.#inTurn) return;
    this.#inTurn = true;
    setImmediate(() => {
      this.#inTurn = false;
      if (this.#state !== 'yielded') return;
      this.#answer();
      this.#batches(Outcome.None, false);
    });
  }

  // Settles the batch before with `outcome`, then runs what there is.
  #batches(outcome: Outcome, unbroken: boolean): void {
    this.#state = 'running';
    let count = this.#native.next(this.#number, outcome, unbroken);
    while (count > 0) {
      const batch = new Batch<K>(this.#lease, count);
      let settled = Outcome.Delivered;
      try {
        const result = this.#run(batch);
        if (isThenable(result)) {
          this.#follow(batch, result);
          return;
        }
      } catch (error) {
        settled = Outcome.Failed;
        this.#host.failed(error);
      }
      batch.expire();
      if (this.#left()) return;
      count = this.#native.next(this.#number, settled, true);
    }
    if (count === NEXT_ENDED) {
      this.#end();
    } else {
      this.#state = count === NEXT_YIELD ? 'yielded' : 'idle';
    }
  }

  #follow(batch: Batch<K>, result: PromiseLike<void>): void {
    const settle = (outcome: Outcome) => {
      batch.expire();
      if (this.#state === 'ended') return;
      if (!this.#inTurn) this.#answer();
      this.#batches(outcome, false);
    };
    Promise.resolve(result).then(
      () => settle(Outcome.Delivered),
      (error: unknown) => {
        this.#host.failed(error);
        settle(Outcome.Failed);
      },
    );
  }

  // The function may have closed the feed.
  #left(): boolean {
    return this.#state === 'ended';
  }

  #end(): void {
    this.#state = 'ended';
    this.#native.leave(this.#number);
    this.#host.ended();
  }

  /** Leaves at once: what a batch that has not settled had begun counts as failed. */
  abandon(): void {
    if (this.#state !== 'ended') this.#end();
  }
}

function isThenable(value: unknown): value is PromiseLike<void> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
