import { AsyncResource } from 'node:async_hooks';
import { native } from './native.js';
import { RawWheel, type WheelSettings } from './raw-wheel.js';
import type { WheelTimeout } from './types.js';

export type Callback = (...args: unknown[]) => void;

const enum State {
  /** In the wheel. */
  Live,
  /** Expired, and about to be called. */
  Due,
  Called,
  Closed,
}

/**
 * Timeouts with callbacks, on a wheel of their own: its ids are places in a table. For one thread. Owns the wheel, which
 * is made with the first timeout, and an object and a callback for each live one.
 */
export class Timeouts {
  readonly #settings: WheelSettings;
  #wheel: RawWheel | undefined;
  readonly #table: (Timeout | undefined)[] = [];
  readonly #free: number[] = [];
  /** Live timeouts that keep the process alive. */
  #holders = 0;
  #referenced: boolean;
  #closed = false;

  constructor(settings: WheelSettings, referenced: boolean) {
    this.#settings = settings;
    this.#referenced = referenced;
  }

  start(fn: Callback, delayMs: number, args: unknown[]): WheelTimeout {
    const timeout = new Timeout(this, fn, delayMs, args);
    this.schedule(timeout);
    return timeout;
  }

  get size(): number {
    return this.#wheel?.size ?? 0;
  }

  nextExpiryMs(): number | undefined {
    return this.#wheel?.nextExpiryMs();
  }

  /** All that are due are called, also when one of them throws; then the first error is thrown. */
  advance(nowMs: number): number {
    const ids = this.#open().advance(nowMs);
    if (ids === undefined) return 0;
    const errors: unknown[] = [];
    const due = this.#take(ids);
    for (const timeout of due) {
      try {
        timeout.call();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return due.length;
  }

  /** Whether those that hold the process do. */
  reference(referenced: boolean): void {
    this.#referenced = referenced;
    this.#hold();
  }

  close(): void {
    this.#closed = true;
    for (const timeout of this.#table) timeout?.close();
    this.#wheel?.close();
  }

  /** Then nothing is called any more, not even what is due. */
  get closed(): boolean {
    return this.#closed;
  }

  schedule(timeout: Timeout): void {
    const wheel = this.#open();
    const id = this.#free.pop() ?? this.#table.length;
    try {
      timeout.handle = wheel.schedule(timeout.delayMs, id);
    } catch (error) {
      this.#free.push(id);
      this.#table[id] ??= undefined;
      throw error;
    }
    timeout.id = id;
    timeout.state = State.Live;
    this.#table[id] = timeout;
    if (timeout.refed) this.count(1);
  }

  reschedule(timeout: Timeout): void {
    this.#wheel?.reschedule(timeout.handle, timeout.delayMs);
  }

  cancel(timeout: Timeout): void {
    this.#wheel?.cancel(timeout.handle);
    this.#forget(timeout);
  }

  /** Live ones that hold the process: so many more. */
  count(change: number): void {
    const before = this.#holders > 0;
    this.#holders += change;
    if (before !== this.#holders > 0) this.#hold();
  }

  #hold(): void {
    if (this.#wheel?.closed === false) this.#wheel.reference(this.#referenced && this.#holders > 0);
  }

  #open(): RawWheel {
    if (this.#wheel === undefined) {
      this.#wheel = RawWheel.open(this.#settings, (ids) => this.#callAll(this.#take(ids)));
      this.#hold();
    }
    return this.#wheel;
  }

  #forget(timeout: Timeout): void {
    this.#table[timeout.id] = undefined;
    this.#free.push(timeout.id);
    if (timeout.refed) this.count(-1);
  }

  /** From ids to timeouts, before any callback can give a free id to another one. */
  #take(ids: Uint32Array): Timeout[] {
    return Array.from(ids, (id) => {
      const timeout = this.#table[id]!;
      this.#forget(timeout);
      timeout.state = State.Due;
      return timeout;
    });
  }

  /** What one of them throws is an uncaught exception, and the others' turn comes after it. */
  #callAll(due: Timeout[], first = 0): void {
    let next = first;
    try {
      while (next < due.length) due[next++]!.call();
    } finally {
      if (next < due.length) setImmediate(() => this.#callAll(due, next));
    }
  }
}

/** One of them. Its callback runs in the async context in which it was made. */
class Timeout extends AsyncResource implements WheelTimeout {
  readonly #timeouts: Timeouts;
  readonly #fn: Callback;
  readonly #args: unknown[];
  readonly delayMs: number;
  state = State.Closed;
  refed = true;
  handle = 0;
  id = -1;

  constructor(timeouts: Timeouts, fn: Callback, delayMs: number, args: unknown[]) {
    super('WheelTimeout');
    this.#timeouts = timeouts;
    this.#fn = fn;
    this.#args = args;
    // As setTimeout reads it, but for its upper bound.
    this.delayMs = delayMs >= 1 ? Math.min(Math.trunc(delayMs), native.maxMs) : 1;
  }

  ref(): this {
    return this.#setRef(true);
  }

  unref(): this {
    return this.#setRef(false);
  }

  hasRef(): boolean {
    return this.refed;
  }

  refresh(): this {
    if (this.state === State.Live) this.#timeouts.reschedule(this);
    else if (this.state !== State.Closed) this.#timeouts.schedule(this);
    return this;
  }

  close(): this {
    if (this.state === State.Live) this.#timeouts.cancel(this);
    this.state = State.Closed;
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Unless an earlier callback has closed or refreshed it, or closed the wheel. */
  call(): void {
    if (this.state !== State.Due || this.#timeouts.closed) return;
    this.state = State.Called;
    this.runInAsyncScope(this.#fn, this, ...this.#args);
  }

  #setRef(refed: boolean): this {
    if (refed !== this.refed && this.state === State.Live) this.#timeouts.count(refed ? 1 : -1);
    this.refed = refed;
    return this;
  }
}
