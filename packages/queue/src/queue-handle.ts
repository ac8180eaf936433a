import { makeToken } from '@millrace/native';
import { checkPushed, type Limits } from './answers.js';
import { errors } from './errors.js';
import { type Handle, native } from './native.js';
import { QueueWaits } from './queue-waits.js';
import type { QueueStats, SharedToken } from './types.js';

/** @internal A handle to wrap, in place of a constructor's options. */
export class Attached {
  constructor(readonly handle: Handle) {}
}

/** @internal What tokens are called, the copy of the addon that finds them, and the option that bounds messages. */
export interface Names<Kind> {
  readonly kind: Kind;
  readonly copy: number;
  readonly maxOption: string;
}

const dropped = new FinalizationRegistry<Handle>((handle) => native.detach(handle));
type Eight = [number, number, number, number, number, number, number, number];
const figures = new Float64Array(8);

/** This thread's handle on a queue of either kind: how it came, what it says of the queue, and how it goes. */
export abstract class QueueHandle<Kind extends string> {
  /** Bytes of a SpscRing, messages of a MpmcQueue: the option, rounded up to a power of two. */
  readonly capacity: number;
  /** @internal */
  protected handle: Handle;
  readonly #names: Names<Kind>;
  /** @internal */
  protected readonly limits: Limits;
  /** @internal */
  protected readonly waits: QueueWaits;
  #last: QueueStats | undefined;

  /** @internal */
  protected constructor(handle: Handle, names: Names<Kind>) {
    native.limits(handle, figures);
    this.capacity = figures[0]!;
    this.limits = { maxBytes: figures[1]!, maxOption: names.maxOption, rejects: figures[2] === 0 };
    this.#names = names;
    this.handle = handle;
    this.waits = new QueueWaits(handle);
    dropped.register(this, handle, this);
  }

  /** Messages in the queue, a moment ago. */
  get size(): number {
    return native.size(this.handle);
  }

  /** Nothing more goes in; true after `detach()`. */
  get closed(): boolean {
    return this.#last !== undefined || native.closed(this.handle);
  }

  /** Closed, and all has come out; true after `detach()`. */
  get ended(): boolean {
    return this.#last !== undefined || native.ended(this.handle);
  }

  /** Ends the queue for every thread: nothing more goes in, what is in it can be popped. Idempotent. */
  close(): void {
    if (this.#last === undefined) native.close(this.handle);
  }

  /** Lets go of this thread's handle: what it waits for is rejected. The queue goes with its last handle. Idempotent. */
  detach(): void {
    if (this.#last !== undefined) return;
    this.#last = this.stats();
    this.waits.failAll(errors.detached);
    dropped.unregister(this);
    native.detach(this.handle);
    this.handle = -1;
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  /** What this thread waits for keeps the process alive: the default. */
  ref(): this {
    this.waits.hold(true);
    return this;
  }

  /** What this thread waits for does not keep the process alive. */
  unref(): this {
    this.waits.hold(false);
    return this;
  }

  /** A token by which other threads of this process `attach`, while a thread holds the queue. */
  share(): SharedToken<Kind> {
    this.#keep();
    const { kind, copy } = this.#names;
    native.identity(this.handle, figures);
    return makeToken(kind, { id: figures[0]!, nonce: figures[1]!, copy });
  }

  /** For native threads: what `millrace_queue_open` of `<millrace/queue.h>` takes. Valid while this handle is held. */
  get address(): bigint {
    this.#keep();
    return native.address(this.handle);
  }

  /** Counts for all threads; after `detach()`, those of that moment. */
  stats(): QueueStats {
    if (this.#last !== undefined) return this.#last;
    native.stats(this.handle, figures);
    const [pushed, popped, newest, oldest, closed, rejected, depth, highWater] = figures as unknown as Eight;
    return { pushed, popped, dropped: { newest, oldest, closed }, rejected, depth, highWater };
  }

  /** @internal For a push of so many bytes that was not accepted. */
  protected check(answer: number, length: number): void {
    checkPushed(answer, { length }, this.limits);
  }

  // Others may come to know of it: it does not go with this object any more.
  #keep(): void {
    this.checkHeld();
    dropped.unregister(this);
  }

  /** @internal */
  protected checkHeld(): void {
    if (this.#last !== undefined) throw errors.detached();
  }
}
