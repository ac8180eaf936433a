import {
  checkFunction,
  checkInteger,
  checkNumber,
  makeToken,
  readToken,
  sharedGone,
  type SharedTokenFields,
} from '@millrace/native';
import { arrayTypeError, notOwnerError, runningClockError } from './errors.js';
import { native } from './native.js';
import { checkOptions } from './options.js';
import { RawWheel } from './raw-wheel.js';
import { Timeouts, type Callback } from './timeouts.js';
import type { SharedToken, TimerHandle, TimerWheelOptions, WheelTimeout } from './types.js';

const KIND = 'timer-wheel';
const MAX_ID = 2 ** 32 - 1;

/**
 * Timers by number, hundreds of thousands of them, which expire in batches; and beside them `setTimeout` with callbacks.
 *
 * Any thread may attach to a wheel and schedule and cancel there; timers expire on the thread that made the wheel, and
 * while any is live they keep its event loop alive. Owns 22 bytes of native memory a timer, taken as they are used, one
 * descriptor (a second one once `setTimeout` is used), and no timer of Node's. A timer costs a native call when it is
 * scheduled, and one when it is cancelled once the wheel is shared, a batch one in all; nothing is allocated for it, and
 * an idle wheel wakes nobody.
 *
 * A hierarchical wheel (Varghese and Lauck, 1987) of ten levels with occupancy bitmaps, as in tokio: no delay is too
 * long. Never early; at most one tick late when the thread is free.
 *
 * @example
 * const wheel = new TimerWheel();
 * wheel.onExpire = (ids) => ids.forEach((id) => console.log('expired', id));
 * const timer = wheel.schedule(5_000, 7);
 * wheel.cancel(timer); // true
 */
export class TimerWheel implements Disposable {
  readonly #wheel: RawWheel;
  readonly #timeouts: Timeouts;
  #onExpire: ((ids: Uint32Array) => void) | null = null;

  /** @throws TypeError, RangeError for options; `ENOMEM`, `EMFILE` when memory or descriptors are used up */
  constructor(options?: TimerWheelOptions) {
    // attach() brings what it has opened.
    const given: unknown = options;
    const attached = given instanceof RawWheel ? given : undefined;
    const settings = checkOptions(attached === undefined ? options : undefined);
    this.#wheel = attached ?? RawWheel.open(settings, (ids) => this.#onExpire?.(ids));
    this.#timeouts = new Timeouts(settings, true);
  }

  /**
   * A handle for this thread on a wheel of another one: to schedule and cancel, with the time of that thread's wheel. What
   * it schedules expires there; its `setTimeout` calls here.
   *
   * @param token - what `share()` answered on a thread of this process
   * @throws ERR_SHARED_GONE if the thread that made it has closed it, ERR_LAYOUT_MISMATCH if another copy of this package
   * made the token
   */
  static attach(token: SharedToken<'timer-wheel'>): TimerWheel {
    const { id, nonce } = readToken(KIND, token, { copy: native.copy, package: '@millrace/timer-wheel' });
    const raw = RawWheel.attach(id, nonce);
    if (raw === undefined) throw sharedGone(KIND);
    return new TimerWheel(raw as TimerWheelOptions);
  }

  /**
   * @param delayMs - an integer from 0; there is no ceiling
   * @param id - u32 of your choice, which `onExpire` gets; several timers may have one
   * @throws ERR_TIMER_FULL, ERR_TIMER_CLOSED
   */
  schedule(delayMs: number, id: number): TimerHandle {
    checkDelay(delayMs);
    if (typeof id !== 'number' || id >>> 0 !== id) checkInteger('id', id, 0, MAX_ID);
    return this.#wheel.schedule(delayMs, id) as TimerHandle;
  }

  /** False if the timer has expired or was cancelled: then it, or its id in a batch, is on its way or was there. */
  cancel(handle: TimerHandle): boolean {
    checkHandle(handle);
    return this.#wheel.cancel(handle);
  }

  /**
   * One native call; delaysMs[i] for ids[i], handles[i] written: 0 where there was no room any more.
   *
   * @param ids - at least as long as `delaysMs`, and so is `handles`
   * @returns how many were scheduled
   */
  scheduleMany(delaysMs: Uint32Array, ids: Uint32Array, handles: Float64Array): number {
    checkArray('delaysMs', delaysMs, Uint32Array);
    checkArray('ids', ids, Uint32Array, delaysMs.length);
    checkArray('handles', handles, Float64Array, delaysMs.length);
    return this.#wheel.scheduleMany(delaysMs, ids, handles);
  }

  /** One native call. Answers how many of them were live. */
  cancelMany(handles: Float64Array): number {
    checkArray('handles', handles, Float64Array);
    return this.#wheel.cancelMany(handles);
  }

  /** Lets a live timer expire in `delayMs` from now; its handle stays. To put it off costs least. False as with cancel. */
  reschedule(handle: TimerHandle, delayMs: number): boolean {
    checkHandle(handle);
    checkDelay(delayMs);
    return this.#wheel.reschedule(handle, delayMs);
  }

  /**
   * Called with the ids of timers that have expired, all that have at once, in the order of their ticks. The array is
   * yours. What it throws is an uncaught exception, or thrown by `advance`. **Default:** null
   */
  get onExpire(): ((ids: Uint32Array) => void) | null {
    return this.#onExpire;
  }

  set onExpire(listener: ((ids: Uint32Array) => void) | null) {
    this.#wheel.checkOpen();
    if (!this.#wheel.owner) throw notOwnerError('onExpire');
    this.#onExpire = listener === null ? null : checkFunction('onExpire', listener);
  }

  /**
   * Sets a manual clock, and calls what has expired until then. A clock that goes back does nothing.
   *
   * @param nowMs - an integer; the clock starts at 0
   * @returns how many timers and timeouts have expired
   * @throws ERR_INVALID_STATE if the clock runs by itself
   */
  advance(nowMs: number): number {
    this.#wheel.checkOpen();
    checkInteger('nowMs', nowMs, 0, native.maxMs);
    if (!this.#wheel.manual) throw runningClockError();
    if (!this.#wheel.owner) throw notOwnerError('advance()');
    const ids = this.#wheel.advance(nowMs);
    let timeouts = 0;
    try {
      if (ids !== undefined) this.#onExpire?.(ids);
    } finally {
      if (!this.#wheel.closed) timeouts = this.#timeouts.advance(nowMs);
    }
    return (ids?.length ?? 0) + timeouts;
  }

  /** When the next timer or timeout expires, by the wheel's clock (`nowMs`); undefined if none is live. */
  nextExpiryMs(): number | undefined {
    const times = [this.#wheel.nextExpiryMs(), this.#timeouts.nextExpiryMs()].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** The wheel's clock, in milliseconds: since it was made, or as `advance` has set it. */
  get nowMs(): number {
    return this.#wheel.nowMs;
  }

  /** Live timers, of all threads, and timeouts of this one. */
  get size(): number {
    return this.#wheel.size + this.#timeouts.size;
  }

  /**
   * As the global `setTimeout`, without a ceiling for the delay: the callback runs on this thread.
   *
   * @throws ERR_INVALID_STATE on an attached wheel with a manual clock
   */
  setTimeout<A extends unknown[]>(fn: (...args: A) => void, delayMs: number, ...args: A): WheelTimeout {
    this.#wheel.checkOpen();
    checkFunction('fn', fn);
    if (this.#wheel.manual && !this.#wheel.owner) throw notOwnerError("setTimeout() with clock: 'manual'");
    return this.#timeouts.start(fn as unknown as Callback, delayMs, args);
  }

  clearTimeout(timeout: WheelTimeout | undefined): void {
    timeout?.close();
  }

  /** Lets live timers keep the process alive, as they do at first. Of a wheel that was made on another thread: nothing. */
  ref(): this {
    return this.#reference(true);
  }

  unref(): this {
    return this.#reference(false);
  }

  /** What `attach` takes, on any thread of the process. */
  share(): SharedToken<'timer-wheel'> & SharedTokenFields<'timer-wheel'> {
    return makeToken(KIND, { ...this.#wheel.share(), copy: native.copy });
  }

  /** Lets go of this thread's handle. Where the wheel was made, its timers never expire after that. Idempotent. */
  close(): void {
    this.#onExpire = null;
    this.#timeouts.close();
    this.#wheel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #reference(referenced: boolean): this {
    this.#wheel.reference(referenced);
    this.#timeouts.reference(referenced);
    return this;
  }
}

function checkDelay(delayMs: number): void {
  // A small integer, in one comparison, or whatever it is.
  if (typeof delayMs !== 'number' || delayMs >>> 0 !== delayMs) checkInteger('delayMs', delayMs, 0, native.maxMs);
}

function checkHandle(handle: TimerHandle): void {
  if (typeof handle !== 'number') checkNumber('handle', handle);
}

function checkArray<T extends Uint32Array | Float64Array>(name: string, value: T, Type: new () => T, least = 0): void {
  if (!(value instanceof Type)) throw arrayTypeError(name, Type.name, value);
  checkInteger(`${name}.length`, value.length, least);
}
