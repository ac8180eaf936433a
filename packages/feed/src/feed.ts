import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { checkBytes, checkFunction, checkNumber } from '@millrace/native';
import { Consumers } from './consumers.js';
import { Doorbell } from './doorbell.js';
import { EmptyWaits } from './empty-waits.js';
import { errors } from './errors.js';
import { type MemoryPlan, planOf, statsOf } from './figures.js';
import { keyWriter, type KeyWriter } from './keys.js';
import { addon, type NativeFeed, Push } from './native.js';
import { checkOptions, keyKinds } from './options.js';
import { pushWhenRoom } from './push-when-room.js';
import { PushWatch } from './push-watch.js';
import { Reports } from './reports.js';
import { attachToken, tokenOf } from './token.js';
import type { FeedBatch, FeedEvents, FeedKey, FeedKeyKind, FeedOptions, FeedStats, SharedToken } from './types.js';
import type { GroupOptions } from './worker-group.js';

class Attached {
  constructor(readonly native: NativeFeed) {}
}

/**
 * A bounded hand-over of messages: `push` copies a message and returns, consumers read batches out of shared memory on
 * this thread or on workers, a policy decides what happens when they cannot keep up, and every message is counted.
 * Messages keep the order of `push`, for each consumer; with `dispatch: 'sticky'` a key stays with one consumer.
 *
 * @example
 * const feed = new Feed({ capacity: 4096, maxMessageBytes: 256, overflow: 'conflate', key: 'ascii16' });
 * feed.consume((batch) => {
 *   for (let i = 0; i < batch.length; i++) console.log(batch.key(i), batch.view.getFloat64(batch.offset(i), true));
 * });
 * feed.push(new Uint8Array(Float64Array.of(61800.5).buffer), 'BTCUSDT');
 * await feed.close();
 */
export class Feed<const K extends FeedKeyKind = undefined> extends EventEmitter<FeedEvents> implements AsyncDisposable {
  readonly #native: NativeFeed;
  readonly #keyed: boolean;
  readonly #writeKey: KeyWriter;
  readonly #waits: EmptyWaits;
  readonly #consumers: Consumers<K>;
  readonly #pushWatch: PushWatch;
  // Who replaces the workers that are to make room may be this thread.
  readonly #whileBlocked = (): void => this.#consumers.checkWhileBlocked();
  #closing: Promise<void> | undefined;
  #last: { stats: FeedStats; plan: MemoryPlan } | undefined; // once this handle is let go of

  /**
   * @throws RangeError `ERR_OUT_OF_RANGE`, TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`: see
   *   {@link FeedOptions}; Error `ERR_FEED_MEMORY` when the system has no address space left
   */
  constructor(options: FeedOptions<K>) {
    super();
    const given: unknown = options;
    this.#native = given instanceof Attached ? given.native : addon.create(checkOptions(options));
    const kind = keyKinds[this.#native.keyKind];
    this.#keyed = kind !== undefined;
    this.#writeKey = keyWriter(kind, this.#native.keyCell);
    const doorbell = new Doorbell(this.#native, () => {
      this.#consumers.ring();
      this.#pushWatch.check();
      this.#checkEnd();
    });
    this.#waits = new EmptyWaits(this.#native, doorbell);
    const reports = new Reports(this);
    this.#consumers = new Consumers(this.#native, doorbell, reports, () => this.#checkEnd());
    this.#pushWatch = new PushWatch(this.#native, doorbell, reports, this);
  }

  /**
   * The feed of a token, for use on this thread.
   *
   * @throws Error `ERR_SHARED_GONE` when no thread holds it any more, `ERR_LAYOUT_MISMATCH` for a token of another copy
   */
  static attach<K extends FeedKeyKind>(token: SharedToken<'feed', K>): Feed<K> {
    return new Feed<K>(new Attached(attachToken(token)) as never);
  }

  /**
   * Copies a message into the feed. Never waits, but with `overflow: 'block'`.
   *
   * @param bytes - the message, up to `maxMessageBytes`; yours again when this returns
   * @param key - if the feed has keys. Of a `u64` only the low 32 bits choose the worker: keys that must keep their
   *   order among each other share them.
   * @returns false if the message was dropped (and counted)
   * @throws Error `ERR_FEED_CLOSED`; RangeError `ERR_MESSAGE_TOO_LARGE`; Error `ERR_FEED_DEADLOCK` if it would wait for
   *   consumers of this very thread
   */
  push(bytes: Uint8Array, ...key: K extends string ? [key: FeedKey<K>] : []): boolean;
  push(bytes: Uint8Array, key?: unknown): boolean {
    if (this.#keyed) this.#writeKey(key);
    const result = this.#native.push(bytes);
    return result === Push.Accepted || this.#pushed(result, bytes);
  }

  #pushed(result: Push, bytes: Uint8Array): boolean {
    if (result === Push.Full) return this.#pushed(pushWhenRoom(this.#native, bytes, this.#whileBlocked), bytes);
    if (result === Push.Closed) throw errors.closed();
    if (result === Push.TooLarge) throw errors.tooLarge(bytes.byteLength, this.#native.maxMessageBytes);
    if (result === Push.NotBytes) checkBytes('bytes', bytes);
    return result === Push.Accepted;
  }

  /** For native producers: what `millrace_feed_open` of `<millrace/feed.h>` takes. Valid while a thread holds the feed. */
  get address(): bigint {
    this.#checkOpen();
    return this.#native.address();
  }

  /**
   * Reads the feed on this thread until disposed of. The function gets one batch at a time; if it returns a promise, the
   * next one comes when that has settled. A batch whose function throws or rejects counts as failed, and `error` is
   * emitted (if nobody listens: a warning, once).
   *
   * @throws Error `ERR_FEED_CLOSED`, `ERR_FEED_NO_SEAT` (above 256 consumers), `ABORT_ERR` if the signal has aborted
   */
  consume(fn: (batch: FeedBatch<K>) => void | PromiseLike<void>, options: { signal?: AbortSignal } = {}): Disposable {
    checkFunction('fn', fn);
    this.#checkOpen();
    return this.#consumers.here(fn, options.signal);
  }

  /**
   * Reads the feed on worker threads, each with the module's consumer, until disposed of. Resolves when all of them are
   * ready; nothing is read before. A worker that dies or makes no progress for `stuckAfterMs` is replaced: messages that
   * it had begun in its running batch count as failed, the others are handed on in order, once.
   *
   * - `filename` – the module; its default export is a {@link FeedConsumer}. A path is relative to the working directory.
   * - `dispatch` – `sticky`: a key stays with one worker; `shared`: any worker takes the next messages.
   *   **Default:** `sticky` if the feed has keys.
   *
   * @throws Error `ERR_WORKER_MODULE` with its cause when a worker does not start, `ERR_FEED_CLOSED`, `ABORT_ERR`
   */
  async consumeWith(options: GroupOptions): Promise<AsyncDisposable> {
    this.#checkOpen();
    return this.#consumers.onWorkers(options, this.#keyed);
  }

  /** Counts of one instant; after `close()`, those of its end. */
  stats(): FeedStats {
    return this.#last?.stats ?? statsOf(this.#native);
  }

  /** Native bytes the feed can come to use with the consumers it has, at least one; holds exactly. */
  memoryPlan(): MemoryPlan {
    return this.#last?.plan ?? planOf(this.#native);
  }

  /** A token by which other threads of this process `attach`. */
  share(): SharedToken<'feed', K> {
    this.#checkOpen();
    return tokenOf(this.#native);
  }

  /**
   * Resolves at a moment when no message is waiting or with a consumer.
   *
   * @throws Error `ERR_FEED_CLOSED` if this handle is let go of before
   */
  async drain(): Promise<void> {
    if (this.#last !== undefined || this.#native.empty()) return;
    if (!(await this.#waits.wait())) throw errors.closed();
  }

  /**
   * Ends the feed for every thread: no more pushes; consumers get what waits, then stop. What waits is dropped if nobody
   * reads it, or after `timeoutMs` (**default:** for ever), which also ends unfinished batches, and workers.
   */
  close(options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = options;
    if (timeoutMs !== undefined) checkNumber('options.timeoutMs', timeoutMs, 0, 2 ** 31 - 1);
    return (this.#closing ??= this.#close(timeoutMs));
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    if (this.#last !== undefined) return;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    this.#native.close();
    const emptied = this.#waits.wait(timeoutMs);
    this.#dropUnread();
    const force = !(await emptied);
    if (this.#last !== undefined) return;
    if (force) this.#native.discard(true);
    this.#waits.check();
    await this.#consumers.stop(force, deadline);
    if (this.#last !== undefined) return;
    this.#native.trim();
    this.#letGo();
    this.emit('close');
  }

  /** Lets go of this thread's handle; its consumers end at once. The feed ends with its last handle. */
  detach(): void {
    if (this.#last !== undefined) return;
    void this.#consumers.stop(true);
    this.#letGo();
  }

  #letGo(): void {
    if (this.#last !== undefined) return;
    this.#waits.cancel();
    this.#pushWatch.end();
    this.#last = { stats: statsOf(this.#native), plan: planOf(this.#native) };
    this.#native.detach();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Consumers keep the process alive: the default. */
  ref(): this {
    this.#consumers.hold(true);
    return this;
  }

  /** Consumers do not keep the process alive. */
  unref(): this {
    this.#consumers.hold(false);
    return this;
  }

  // Something has changed: is it the end?
  #checkEnd(): void {
    if (this.#last !== undefined) return;
    if (this.#native.closing()) this.#dropUnread();
    this.#waits.check();
    // Another thread may have closed it.
    if (this.#native.closing() && this.#native.empty()) void this.close();
  }

  #dropUnread(): void {
    if (this.#native.members() === 0) this.#native.discard(false);
  }

  #checkOpen(): void {
    if (this.#last !== undefined || this.#native.closing()) throw errors.closed();
  }
}
