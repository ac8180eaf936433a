import { performance } from 'node:perf_hooks';
import { checkBytes, checkFunction, checkInteger, checkNumber } from '@millrace/native';
import { checkAccepted, checkPopped, checkPushed } from './answers.js';
import { errors } from './errors.js';
import { pool } from './message-pool.js';
import { Answer, native } from './native.js';
import { PackedBatch } from './packed-batch.js';
import { QueueHandle } from './queue-handle.js';
import { iterate } from './queue-waits.js';
import type { Queue, WaitOptions } from './types.js';
import { NOT_YET } from './wait-line.js';

/** How long popSync() sleeps at a time when the event loop has something to do, in milliseconds. */
const SLICE_MS = 50;
/** Of every popSync() of this thread, once its loop had something: what is not run stays, and hides what comes next. */
let longestSleepMs = Infinity;

/** At and below: minus the length of a message that did not fit. */
const TOO_SMALL: number = Answer.TooSmall;

/** How messages go through either kind of queue. */
export abstract class MessageQueue<Kind extends string> extends QueueHandle<Kind> implements Queue<Kind> {
  /**
   * Copies a message in. Never waits.
   *
   * @param bytes - the message; yours again when this returns
   * @returns false if it did not go in: full (counted as `rejected`, or as `dropped.newest`), or closed
   *   (`dropped.closed`). Always true with `drop-oldest`, until closed
   * @throws RangeError `ERR_MESSAGE_TOO_LARGE`; Error `ERR_QUEUE_CLOSED` after `detach()`, `ERR_QUEUE_SIDE_TAKEN`
   */
  tryPush(bytes: Uint8Array): boolean {
    const answer = native.push(this.handle, bytes, false);
    if (answer === Answer.Accepted) return true;
    checkPushed(answer, bytes, this.limits);
    return false;
  }

  /**
   * Copies messages in, in order, by one native call for about a thousand or 64 KiB of them. Never waits.
   *
   * @returns how many went in; the others are counted as by `tryPush`. With `reject` they are the first ones
   * @throws as `tryPush`, before anything went in
   */
  pushMany(list: readonly Uint8Array[]): number {
    const isList: boolean = Array.isArray(list);
    if (!isList) throw errors.list(list);
    for (let i = 0; i < list.length; i++) {
      const bytes = list[i] as unknown;
      if (!(bytes instanceof Uint8Array)) checkBytes(`list[${i}]`, bytes);
      else if (bytes.length > this.limits.maxBytes) checkPushed(Answer.TooLarge, bytes, this.limits);
    }
    const batch = PackedBatch.take();
    let done = 0;
    for (let next = 0; next < list.length;) {
      const packed = batch.pack(list, next);
      // What is too long for a batch goes alone.
      const pushed =
        packed === 0
          ? Number(this.tryPush(list[next]!))
          : native.pushMany(this.handle, batch.bytes, batch.lengths, packed);
      if (pushed < 0) checkPushed(pushed, list[next], this.limits);
      const count = packed || 1;
      done += pushed;
      next += count;
      if (pushed < count && this.limits.rejects && !this.closed) {
        // There may be room again: what went in behind a refused one could not be told from it.
        native.giveUp(this.handle, list.length - next);
        break;
      }
    }
    batch.giveBack();
    return done;
  }

  /**
   * Takes the oldest message out.
   *
   * @returns the message, or undefined if there is none
   * @throws Error `ERR_QUEUE_CLOSED` after `detach()`, `ERR_QUEUE_SIDE_TAKEN`
   */
  tryPop(): Buffer | undefined {
    const length = native.pop(this.handle, pool.offset);
    return length >= 0 ? pool.take(length) : this.#notPopped(length);
  }

  /**
   * Takes the oldest message out, into memory of the caller's.
   *
   * @returns its length, or −1 if there is none
   * @throws as `tryPop`; RangeError `ERR_OUT_OF_RANGE` if the target is shorter than the message, which stays
   */
  tryPopInto(target: Uint8Array): number {
    const length = native.popInto(this.handle, target);
    if (length >= 0) return length;
    if (length === (Answer.NotBytes as number)) checkBytes('target', target);
    if (length <= TOO_SMALL) throw errors.target(TOO_SMALL - length, target.length);
    checkPopped(length);
    return -1;
  }

  /**
   * Takes up to `max` messages out, and then calls `visit` for each, in order, also if it throws; the first thing thrown
   * is thrown when all were visited. The bytes are valid until `visit` returns.
   *
   * @param max - messages, 0 or more
   * @returns how many there were
   * @throws as `tryPop`
   */
  popMany(max: number, visit: (bytes: Uint8Array) => void): number {
    checkInteger('max', max, 0);
    checkFunction('visit', visit);
    const failures: unknown[] = [];
    let batch = PackedBatch.take();
    let popped = 0;
    while (popped < max) {
      const wanted = Math.min(max - popped, PackedBatch.maxMessages);
      const count = native.popMany(this.handle, wanted, batch.bytes, batch.lengths);
      if (count <= TOO_SMALL) {
        batch = PackedBatch.take(TOO_SMALL - count);
        continue;
      }
      if (count <= 0) {
        if (popped === 0) checkPopped(count);
        break;
      }
      popped += count;
      const end = batch.visit(count, visit, failures);
      // Fewer than asked for, and room for more: there were no more.
      if (count < wanted && end + this.limits.maxBytes < batch.bytes.length) break;
    }
    batch.giveBack();
    if (failures.length > 0) throw failures[0];
    return popped;
  }

  /**
   * Copies a message in, when there is room; pushes of one thread go in in their order.
   *
   * @param bytes - the message; yours again when this returns
   * @throws (rejects) Error `ERR_QUEUE_CLOSED`, `ERR_QUEUE_TIMEOUT`, `AbortError`; and as `tryPush`
   */
  async push(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    if (this.waits.noWriters) {
      const answer = native.push(this.handle, bytes, true);
      if (answer === Answer.Accepted) return undefined;
      if (answer !== Answer.Full) return checkAccepted(answer, bytes, this.limits);
    }
    this.checkHeld();
    const copy = Buffer.from(checkBytes('bytes', bytes));
    return this.waits.push(options, () => {
      const answer = native.push(this.handle, copy, true);
      return answer === Answer.Full ? NOT_YET : checkAccepted(answer, copy, this.limits);
    });
  }

  /**
   * Takes the oldest message out, when there is one; pops of one thread are served in their order.
   *
   * @returns the message, or undefined when the queue has ended
   * @throws (rejects) Error `ERR_QUEUE_TIMEOUT`, `AbortError`; and as `tryPop`
   */
  async pop(options?: WaitOptions): Promise<Buffer | undefined> {
    if (this.waits.noReaders) {
      const message = this.tryPop();
      if (message !== undefined || native.ended(this.handle)) return message;
    }
    this.checkHeld();
    return this.waits.pop(options, () => {
      const message = this.tryPop();
      return message === undefined && !native.ended(this.handle) ? NOT_YET : message;
    });
  }

  /**
   * Takes the oldest message out, and blocks this thread, its event loop included, until there is one: for workers. A
   * blocked thread uses no processor time; `worker.terminate()` and `process.exit()` end it.
   *
   * @param timeoutMs - milliseconds, 0 or more. **Default:** for ever
   * @returns the message, or undefined when the time is over or the queue has ended
   * @throws as `tryPop`
   */
  popSync(timeoutMs?: number): Buffer | undefined {
    if (timeoutMs !== undefined) checkNumber('timeoutMs', timeoutMs, 0);
    const deadline = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      const leftMs = Math.max(deadline - performance.now(), 0);
      const sleepMs = Math.min(leftMs, longestSleepMs);
      const forMs = sleepMs > Number.MAX_SAFE_INTEGER ? -1 : Math.ceil(sleepMs);
      const length = native.popSync(this.handle, pool.offset, forMs);
      if (length >= 0) return pool.take(length);
      if (length === (Answer.LoopBusy as number)) {
        // To be in JavaScript for a moment is what lets it be terminated.
        longestSleepMs = SLICE_MS;
        continue;
      }
      if (length === (Answer.Failed as number)) throw errors.memory('popSync()');
      const message = this.#notPopped(length);
      const over = length === (Answer.Empty as number) && sleepMs === leftMs;
      if (message !== undefined || over || length === (Answer.Closed as number)) return message;
    }
  }

  /** Messages one after another, until the queue has ended; `break` leaves it open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    return iterate((options) => this.pop(options));
  }

  #notPopped(answer: number): Buffer | undefined {
    if (answer > TOO_SMALL) {
      checkPopped(answer);
      return undefined;
    }
    const needed = TOO_SMALL - answer;
    if (needed <= native.poolBytes / 2) {
      pool.renew();
      return this.tryPop();
    }
    // It may be another message by then.
    const target = Buffer.allocUnsafeSlow(needed);
    const length = native.popInto(this.handle, target);
    return length >= 0 ? target.subarray(0, length) : this.#notPopped(length);
  }
}
