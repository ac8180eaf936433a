import type { ResourceLimits } from 'node:worker_threads';

/** Structural on purpose: each package declares and exports the same interface, so tokens need no common package. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

export type FeedKeyKind = 'u32' | 'u64' | 'ascii16' | undefined;

export type FeedKey<K extends FeedKeyKind> = K extends 'u32'
  ? number
  : K extends 'u64'
    ? bigint
    : K extends 'ascii16'
      ? string
      : undefined;

/**
 * - `capacity` – messages that may wait, 1 to 2^26. Those a consumer has claimed do not count.
 * - `maxMessageBytes` – the largest message, 1 to 2^30 bytes.
 * - `maxBytes` – memory for their bytes, up to 4 GiB − 64 KiB, in pages of 64 KiB of which each holds blocks of one
 *   size. **Default:** `capacity` × 256 B, plus a page for each block size up to the largest message.
 * - `maxKeys` – for `conflate`: keys of which a message may wait, 1 to `capacity`. **Default:** `capacity`.
 * - `key` – kind of the key that comes with each message. **Default:** none.
 * - `warnPushAfterUs` – microseconds in `push` after which a producer has been held up too long: `slowPush` is emitted.
 *   **Default:** 1000; 0: never.
 * - `overflow` – what `push` does when there is no room:
 *   - `block` – waits, up to `blockTimeoutMs` (**default:** for ever; 0: not at all)
 *   - `drop-newest` – refuses the message
 *   - `drop-oldest` – drops the oldest message that no consumer has claimed
 *   - `conflate` – a message always replaces the waiting one of its key, at that one's place in the order; a message
 *     of a further key is refused when there is no room
 *   - `sample` – every `sampleEvery`-th message that finds no room replaces the oldest, the others are refused
 */
export type FeedOptions<K extends FeedKeyKind> = {
  capacity: number;
  maxMessageBytes: number;
  maxBytes?: number;
  maxKeys?: number;
  key?: K;
  warnPushAfterUs?: number;
} & (
  | { overflow: 'block'; blockTimeoutMs?: number }
  | { overflow: 'drop-newest' | 'drop-oldest' }
  | { overflow: 'conflate'; key: K & string }
  | { overflow: 'sample'; sampleEvery: number }
);

/**
 * Messages in the feed's own memory. Valid until the function that got it returns or, if it returned a promise,
 * until that settles; then every access throws `ERR_FEED_BATCH_EXPIRED`, and views made of it show other messages.
 * Looking at message `i` notes it as begun (see `failed` in {@link FeedStats}).
 */
export interface FeedBatch<K extends FeedKeyKind = FeedKeyKind> {
  /** Messages, 1 to 256. */
  readonly length: number;
  /** All of the feed's memory, for reading at `offset(i)`. Never post it to another thread: that copies all of it. */
  readonly view: DataView<ArrayBufferLike>;
  /** The message's bytes: a view, not a copy. Costs an allocation; `view` and `offset` cost none. */
  bytes(i: number): Uint8Array<ArrayBufferLike>;
  /** Where the message begins in `view`. */
  offset(i: number): number;
  byteLength(i: number): number;
  /** The key it was pushed with; `undefined` in a feed without keys. */
  key(i: number): FeedKey<K>;
  /** Nanoseconds since the feed was made, by the monotonic clock, when push took the message. */
  receivedNs(i: number): number;
}

/** What the module given to `consumeWith` exports as its default. */
export interface FeedConsumer<K extends FeedKeyKind = FeedKeyKind, WorkerData = unknown> {
  /** Before the first batch; `consumeWith` waits for it. */
  start?(context: FeedContext<WorkerData>): void | PromiseLike<void>;
  /** One batch at a time; the next one comes when this one has returned or settled. */
  batch(batch: FeedBatch<K>, context: FeedContext<WorkerData>): void | PromiseLike<void>;
  /** After the last batch. */
  stop?(): void | PromiseLike<void>;
}

export interface FeedContext<WorkerData = unknown> {
  /** 0 to `workers` − 1; a replaced worker has its predecessor's. */
  readonly workerIndex: number;
  readonly workerData: WorkerData;
}

/**
 * Always: offered = delivered + failed + conflated + every dropped + inFlight; inFlight is counted, not derived.
 */
export interface FeedStats {
  /** Messages that came to an end in `push`: taken or refused. */
  readonly offered: number;
  /** Messages that `push` took. */
  readonly accepted: number;
  /** Messages of batches whose function returned or resolved. */
  readonly delivered: number;
  /** Messages of batches whose function threw or rejected, and those begun by a worker that died or was stuck. */
  readonly failed: number;
  /** Messages replaced by a newer one of their key. */
  readonly conflated: number;
  readonly dropped: {
    /** Refused for lack of room or memory. */
    readonly newest: number;
    /** Made room for a newer one. */
    readonly oldest: number;
    readonly sampled: number;
    /** Refused after `blockTimeoutMs`. */
    readonly timeout: number;
    /** Offered after `close()`, or still waiting when it gave up. */
    readonly closed: number;
  };
  /** Messages that wait and messages with consumers. */
  readonly inFlight: number;
  /** Messages that wait. */
  readonly depth: number;
  /** The largest `depth` so far. */
  readonly highWater: number;
  /** From `push` to the start of the message's batch, nanoseconds; at most 6.25 % above the truth. */
  readonly latencyNs: { readonly p50: number; readonly p99: number; readonly max: number };
  /**
   * What a push takes of the callback it is called in, nanoseconds, native producers included; a message refused at
   * once is not in it. Of pushes that do not wait for room one in 512 is timed; each that does is.
   */
  readonly pushNs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Producers are held up: pushes have taken longer than `warnPushAfterUs`. */
export interface PushReport {
  /** How long the latest of them took. */
  readonly elapsedUs: number;
  /** How many there were since the last report, of those that were timed. */
  readonly pushes: number;
}

export interface FeedEvents {
  /** Pushes take longer than `warnPushAfterUs`; at most ten times a second, by a handle that something listens on. */
  slowPush: [PushReport];
  /** A worker has made no progress for `warnAfterMs`. */
  warn: [WorkerReport];
  /** A worker has made no progress for `stuckAfterMs` and is terminated. */
  stuck: [WorkerReport];
  /** Another worker has taken the place of one that was lost; `elapsedMs`: how long the place was empty. */
  replaced: [WorkerReport];
  /** A consumer function threw (`ERR_FEED_CONSUMER`), or a worker will not come back (`ERR_FEED_WORKER_LOST`). */
  error: [Error];
  /** The feed has ended. */
  close: [];
}

export interface WorkerOptions {
  /** Threads, 1 to 256. **Default:** available parallelism − 1, at least 1. */
  workers?: number;
  /** Reaches the module as `context.workerData`; structured-cloneable. */
  workerData?: unknown;
  /** Milliseconds without progress after which `warn` is emitted. **Default:** 100; 0: never. */
  warnAfterMs?: number;
  /** Milliseconds without progress after which a worker is replaced. **Default:** 2000; 0: never. */
  stuckAfterMs?: number;
  /** Bounds of each worker's V8 heap. Buffers and the feed's memory are outside of it. */
  resourceLimits?: ResourceLimits;
  env?: NodeJS.ProcessEnv;
  /** A module in TypeScript needs its loader here. */
  execArgv?: string[];
}

export interface WorkerReport {
  readonly workerIndex: number;
  readonly elapsedMs: number;
  readonly stack?: string;
  readonly reason?: 'stuck' | 'exit' | 'memory' | 'error';
  readonly error?: Error;
}
