/** Structural on purpose: each package declares and exports the same interface, so tokens need no common package. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

export interface WaitOptions {
  /** Ends the wait with an `AbortError` (code `ABORT_ERR`). */
  signal?: AbortSignal | undefined;
  /** Milliseconds, 0 or more: ends the wait with `ERR_QUEUE_TIMEOUT`. **Default:** for ever. */
  timeoutMs?: number | undefined;
}

/** Counted in messages since the queue was made, for all threads. `pushed = popped + dropped.oldest + depth`. */
export interface QueueStats {
  /** Messages that went in. */
  readonly pushed: number;
  /** Messages that came out to somebody. */
  readonly popped: number;
  readonly dropped: {
    /** By `drop-newest`; by `drop-oldest` when a thread was stopped in the very slot that was needed. */
    readonly newest: number;
    readonly oldest: number;
    /** Pushed after `close()`. */
    readonly closed: number;
  };
  /** Refused for want of room: by `tryPush`, `pushMany`, and by a `push` that gave up waiting. */
  readonly rejected: number;
  /** In the queue now. */
  readonly depth: number;
  /** The deepest that a producer has seen it. */
  readonly highWater: number;
}

/** What a {@link SpscRing} and a {@link MpmcQueue} have in common. Messages are copied in, and copied out. */
export interface Queue<Kind extends string> extends Disposable, AsyncIterable<Buffer> {
  tryPush(bytes: Uint8Array): boolean;
  tryPop(): Buffer | undefined;
  tryPopInto(target: Uint8Array): number;
  pushMany(list: readonly Uint8Array[]): number;
  popMany(max: number, visit: (bytes: Uint8Array) => void): number;
  push(bytes: Uint8Array, options?: WaitOptions): Promise<void>;
  pop(options?: WaitOptions): Promise<Buffer | undefined>;
  popSync(timeoutMs?: number): Buffer | undefined;
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer>;
  readonly size: number;
  readonly capacity: number;
  readonly closed: boolean;
  readonly ended: boolean;
  close(): void;
  detach(): void;
  ref(): this;
  unref(): this;
  share(): SharedToken<Kind>;
  stats(): QueueStats;
}

export interface SpscRingOptions {
  /** Bytes, 64 to 2^30, rounded up to a power of two. A message takes its length and 8 to 15 bytes more. */
  capacity: number;
  /** Bytes of the longest message. **Default** and most: half of the capacity less 8. */
  maxMessageBytes?: number;
}

/** What a full {@link MpmcQueue} does: see its options. */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest';

export interface MpmcQueueOptions {
  /** Messages, 2 to 2^26, rounded up to a power of two. */
  capacity: number;
  /** Bytes of the longest message, 0 to 2^30. Up to 7 a slot takes 16 bytes; above, 16 and these, rounded up to 8. */
  messageBytes: number;
  /** When full: `reject` the push, `drop-oldest` or `drop-newest`. **Default:** `'reject'`. */
  overflow?: Overflow;
}
