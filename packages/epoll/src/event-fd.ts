import { checkBoolean, checkInteger, checkObject, integerOption } from '@millrace/native';
import { checkResult, closedError } from './errors.js';
import { native } from './native.js';

/** Closes what nobody has closed and nobody can reach any more. */
const forgotten = new FinalizationRegistry<number>((event) => native.closeEvent(event));

/**
 * A counter with a descriptor, which is readable while the counter is above 0: a way to wake who waits for descriptors.
 *
 * Each instance belongs to the thread that made it; other threads may watch its `fd`, and notify by writing 8 bytes to
 * it (eventfd(2)). Owns the descriptor, which is non-blocking, until `close()` or the end of the thread. Each member is
 * one system call, `fd` none.
 *
 * @example
 * using bell = new EventFd();
 * poller.add(bell.fd, EPOLLIN);
 * bell.notify();
 */
export class EventFd implements Disposable {
  readonly #event: number;
  readonly #fd: number;
  #closed = false;

  /**
   * @param options.initial - the counter's first value, an integer from 0 to 2^32 − 1. **Default:** 0
   * @param options.semaphore - whether `drain()` takes 1, not all. **Default:** false
   * @throws EMFILE, ENFILE, ENOMEM
   */
  constructor(options: { initial?: number; semaphore?: boolean } = {}) {
    const { initial, semaphore = false } = checkObject('options', options);
    const first = integerOption('options.initial', initial, { min: 0, max: 0xffffffff, default: 0 });
    const result = native.openEvent(first, checkBoolean('options.semaphore', semaphore));
    this.#event = checkResult(result, 'eventfd');
    this.#fd = native.eventDescriptor(this.#event);
    forgotten.register(this, this.#event, this);
  }

  /** The descriptor, to be watched for EPOLLIN. Remove it from where it is watched before `close()`. */
  get fd(): number {
    this.#checkOpen();
    return this.#fd;
  }

  /**
   * Adds to the counter. Where there is no room for as much (2^64 − 2) it stays as it is: it is readable already.
   *
   * @param count - an integer from 1. **Default:** 1
   */
  notify(count = 1): void {
    this.#checkOpen();
    native.notify(this.#event, checkInteger('count', count, 1));
  }

  /**
   * Takes the counter back to 0, a semaphore's down by 1.
   *
   * @returns what was taken, 0 if it was 0 already; exact up to 2^53
   */
  drain(): number {
    this.#checkOpen();
    return native.drain(this.#event);
  }

  /** Gives the descriptor back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    forgotten.unregister(this);
    native.closeEvent(this.#event);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('ERR_EVENT_FD_CLOSED', 'EventFd');
  }
}
