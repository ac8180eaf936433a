import { AsyncResource } from 'node:async_hooks';
import { checkFunction } from '@millrace/native';
import { checkDescriptor, checkEvents } from './arguments.js';
import { type Arrivals, ignore, listen, type Listener } from './dispatcher.js';
import { checkResult, closedError, systemError } from './errors.js';
import * as flags from './flags.js';
import { native } from './native.js';

/** A descriptor that is watched. */
interface Registration {
  /** Tells it from an earlier one of the same descriptor, of which events may still be under way. */
  readonly number: number;
  events: number;
}

/** Closes what nobody has closed and nobody can reach any more. What watches something can be reached. */
const forgotten = new FinalizationRegistry<number>((poller) => native.closePoller(poller));

/** What is reported whether asked for or not. */
const ALWAYS = flags.EPOLLERR | flags.EPOLLHUP;

/**
 * Calls back in this thread's event loop when something is ready on a descriptor, with the interface of the npm package
 * `epoll` (https://github.com/fivdi/epoll).
 *
 * Each instance belongs to the thread that made it; any number of threads may have their own. Owns an epoll descriptor
 * until `close()` or the end of the thread, never the descriptors it watches: remove these before they are closed. Each
 * of `add`, `modify` and `remove` is one system call, each turn of the event loop with events one more for up to 64 of
 * them; there is no thread behind it. It keeps the event loop alive while it watches something, unless `unref()` was
 * called. Callbacks run in the async context that made the instance.
 *
 * @example
 * const poller = new Epoll((error, fd, events) => {
 *   if (events & Epoll.EPOLLIN) readSync(fd, buffer);
 * });
 * poller.add(fd, Epoll.EPOLLIN);
 */
export class Epoll implements Disposable {
  static readonly EPOLLIN: number = flags.EPOLLIN;
  static readonly EPOLLPRI: number = flags.EPOLLPRI;
  static readonly EPOLLOUT: number = flags.EPOLLOUT;
  static readonly EPOLLERR: number = flags.EPOLLERR;
  static readonly EPOLLHUP: number = flags.EPOLLHUP;
  static readonly EPOLLRDHUP: number = flags.EPOLLRDHUP;
  static readonly EPOLLEXCLUSIVE: number = flags.EPOLLEXCLUSIVE;
  static readonly EPOLLONESHOT: number = flags.EPOLLONESHOT;
  static readonly EPOLLET: number = flags.EPOLLET;

  readonly #callback: (error: NodeJS.ErrnoException | null, fd: number, events: number) => void;
  readonly #resource = new AsyncResource('MillraceEpoll');
  readonly #registrations = new Map<number, Registration>();
  readonly #poller: number;
  readonly #listener: Listener = {
    onArrivals: (arrivals) => this.#resource.runInAsyncScope(this.#deliver, this, arrivals),
    onFailure: (errno) => {
      this.#resource.runInAsyncScope(this.#callback, undefined, systemError(errno, 'epoll_wait'), -1, 0);
    },
  };
  #lastNumber = 0;
  #referenced = true;
  #closed = false;

  /**
   * @param callback - gets null, the descriptor and what is ready on it; or an error, −1 and 0 if the instance itself
   *   has failed, after which nothing more comes. What it throws is an uncaught exception; other events are delivered
   * @throws EMFILE, ENFILE, ENOMEM
   */
  constructor(callback: (error: NodeJS.ErrnoException | null, fd: number, events: number) => void) {
    this.#callback = checkFunction('callback', callback);
    this.#poller = checkResult(native.openPoller(), 'epoll_create1');
    forgotten.register(this, this.#poller, this);
  }

  /**
   * Watches a descriptor.
   *
   * @param fd - of a pipe, socket, terminal, device, eventfd …
   * @param events - flags, combined by `|`
   * @throws EEXIST if it is watched already; EPERM for regular files and folders, which are always ready; EBADF if it is
   *   not open; ERR_EPOLL_CLOSED, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE as all members do
   */
  add(fd: number, events: number): this {
    // The number of a registration has 32 bits in the kernel; it starts again long after its predecessors are gone.
    const registration = { number: (this.#lastNumber = (this.#lastNumber + 1) >>> 0), events: checkEvents(events) };
    this.#control(native.ADD, checkDescriptor(fd), registration);
    this.#registrations.set(fd, registration);
    this.#holdLoop();
    return this;
  }

  /**
   * Watches a descriptor for other events, and after EPOLLONESHOT again.
   *
   * @throws ENOENT if it is not watched, EBADF if it is not open
   */
  modify(fd: number, events: number): this {
    const known = this.#registrations.get(checkDescriptor(fd));
    const registration = { number: known?.number ?? 0, events: checkEvents(events) };
    this.#control(native.MODIFY, fd, registration);
    if (known !== undefined) known.events = registration.events;
    return this;
  }

  /**
   * Watches a descriptor no longer: no callback for it follows, not even for an event that has come already.
   *
   * @throws ENOENT if it is not watched, EBADF if it is not open any more; it is not watched then either
   */
  remove(fd: number): this {
    const result = this.#tryControl(native.REMOVE, checkDescriptor(fd), { number: 0, events: 0 });
    this.#registrations.delete(fd);
    this.#holdLoop();
    checkResult(result, 'epoll_ctl');
    return this;
  }

  /** Watches nothing any more, and gives the epoll descriptor back. Idempotent; also allowed in the callback. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#registrations.clear();
    ignore(this.#poller);
    forgotten.unregister(this);
    native.closePoller(this.#poller);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Keeps the event loop alive while something is watched, as it does at first. */
  ref(): this {
    return this.#reference(true);
  }

  /** Does not keep the event loop alive. */
  unref(): this {
    return this.#reference(false);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #deliver(arrivals: Arrivals): void {
    for (let arrival = arrivals.next(); arrival !== undefined; arrival = arrivals.next()) {
      // A callback before this one may have removed the descriptor, and added another one of its number.
      const registration = this.#registrations.get(arrival.fd);
      if (registration?.number !== arrival.registration) continue;
      const events = (arrival.events & (registration.events | ALWAYS)) >>> 0;
      if (events !== 0) this.#callback(null, arrival.fd, events);
    }
  }

  #reference(referenced: boolean): this {
    this.#checkOpen();
    this.#referenced = referenced;
    this.#holdLoop();
    return this;
  }

  #holdLoop(): void {
    const watches = this.#registrations.size > 0;
    native.holdLoop(this.#poller, watches && this.#referenced);
    if (watches) listen(this.#poller, this.#listener);
    else ignore(this.#poller);
  }

  #control(operation: number, fd: number, registration: Registration): void {
    checkResult(this.#tryControl(operation, fd, registration), 'epoll_ctl');
  }

  #tryControl(operation: number, fd: number, { number, events }: Registration): number {
    this.#checkOpen();
    return native.controlPoller(this.#poller, operation, fd, events, number);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('ERR_EPOLL_CLOSED', 'Epoll');
  }
}
