import { performance } from 'node:perf_hooks';
import { checkInteger } from '@millrace/native';
import { checkDescriptor, checkEvents, checkPairs } from './arguments.js';
import { checkResult, closedError } from './errors.js';
import { native } from './native.js';

/** Closes what nobody has closed and nobody can reach any more. */
const forgotten = new FinalizationRegistry<number>((set) => native.closeSet(set));

/**
 * Descriptors that a worker thread waits for, blocking.
 *
 * Each instance belongs to the thread that made it. Owns an epoll descriptor until `close()` or the end of the thread,
 * never the descriptors it watches: remove these before they are closed. Each member is one system call; a `wait` that
 * sleeps is three. `worker.terminate()` and `process.exit()` end a thread that waits at once, but while it waits its
 * event loop does nothing: no timer, promise or message.
 *
 * @example
 * const set = new EpollSet().add(fd, EPOLLIN);
 * const out = new Uint32Array(2 * 64);
 * for (let count = set.wait(out); ; count = set.wait(out)) {
 *   for (let i = 0; i < count; i++) handle(out[2 * i], out[2 * i + 1]);
 * }
 */
export class EpollSet implements Disposable {
  readonly #set: number;
  #closed = false;

  /** @throws EMFILE, ENFILE, ENOMEM */
  constructor() {
    this.#set = checkResult(native.openSet(), 'epoll_create1');
    forgotten.register(this, this.#set, this);
  }

  /**
   * Watches a descriptor.
   *
   * @param events - flags, combined by `|`
   * @throws EEXIST if it is watched already, EPERM for regular files and folders, EBADF if it is not open
   */
  add(fd: number, events: number): this {
    return this.#control(native.ADD, fd, checkEvents(events));
  }

  /** @throws ENOENT if it is not watched, EBADF if it is not open */
  modify(fd: number, events: number): this {
    return this.#control(native.MODIFY, fd, checkEvents(events));
  }

  /** @throws ENOENT if it is not watched, EBADF if it is not open */
  remove(fd: number): this {
    return this.#control(native.REMOVE, fd, 0);
  }

  /**
   * Sleeps until something is ready.
   *
   * @param out - gets pairs: a descriptor, and what is ready on it; as many as fit, at least one, up to 1024. What finds
   *   no room comes with the next call
   * @param timeoutMs - an integer from 0, which does not wait. **Default:** for ever
   * @returns how many pairs were written, 0 at the timeout
   */
  wait(out: Uint32Array, timeoutMs?: number): number {
    this.#checkOpen();
    checkPairs(out);
    if (timeoutMs === undefined) return this.#waitFor(out, -1);
    checkInteger('timeoutMs', timeoutMs, 0);
    return this.#waitFor(out, timeoutMs);
  }

  /** Gives the epoll descriptor back. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    forgotten.unregister(this);
    native.closeSet(this.#set);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #waitFor(out: Uint32Array, timeoutMs: number): number {
    const deadline = timeoutMs > 0 ? performance.now() + timeoutMs : 0;
    let result = this.#waitOnce(out, timeoutMs);
    while (result === native.LOOP_HAS_WORK) {
      const leftMs = timeoutMs > 0 ? Math.max(0, deadline - performance.now()) : timeoutMs;
      result = this.#waitOnce(out, leftMs);
    }
    return checkResult(result, 'epoll_wait');
  }

  // The native call comes back whenever the event loop has work, since that may be the end of this thread. V8 ends a
  // thread where a function begins; in a loop that has not run long it does not look, so this is a function.
  #waitOnce(out: Uint32Array, timeoutMs: number): number {
    return native.wait(this.#set, out, timeoutMs);
  }

  #control(operation: number, fd: number, events: number): this {
    this.#checkOpen();
    checkResult(native.controlSet(this.#set, operation, checkDescriptor(fd), events), 'epoll_ctl');
    return this;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('ERR_EPOLL_CLOSED', 'EpollSet');
  }
}
