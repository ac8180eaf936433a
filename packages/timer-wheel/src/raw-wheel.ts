import { codedError } from '@millrace/native';
import { getSystemErrorName } from 'node:util';
import { CancelLog } from './cancel-log.js';
import { closedError, fullError } from './errors.js';
import { native } from './native.js';
import * as r from './registers.js';

const { f64, u32 } = r;

/** V8 counts the views as memory of its own, and collects garbage for them: not for a wheel that cancels little. */
const CANCELS_BEFORE_LOG = 64;

export interface WheelSettings {
  readonly capacity: number;
  readonly tickMs: number;
  readonly manual: boolean;
}

/**
 * One thread's handle on a wheel of the addon: makes errors of what it answers, and checks nothing. Owns the handle, and
 * with it, where the wheel was made here, what waits for it in the event loop.
 */
export class RawWheel {
  /** Whether it was made on this thread, where its timers expire. */
  readonly owner: boolean;
  readonly manual: boolean;
  #handle: number;
  /** While the wheel is this thread's alone, once enough has been cancelled to be worth its views. */
  #cancelled: CancelLog | undefined;
  /** How many native cancels are left until then. */
  #untilLog = Infinity;

  private constructor(handle: number, owner: boolean, manual: boolean) {
    this.#handle = handle;
    this.owner = owner;
    this.manual = manual;
    if (owner) this.#untilLog = CANCELS_BEFORE_LOG;
  }

  /** @param listener - is told of expired ids in the event loop; with a manual clock `advance` answers them */
  static open({ capacity, tickMs, manual }: WheelSettings, listener: (ids: Uint32Array) => void): RawWheel {
    const handle = native.open(capacity, tickMs, manual ? 1 : 0);
    if (handle < 0) {
      const code = getSystemErrorName(handle);
      throw codedError(code, `${code}: a wheel of ${capacity} timers cannot be had. Lower capacity`, { errno: handle });
    }
    r.listeners.set(handle, listener);
    return new RawWheel(handle, true, manual);
  }

  /** Undefined: no such wheel lives. */
  static attach(id: number, nonce: number): RawWheel | undefined {
    const handle = native.attach(id, nonce);
    return handle < 0 ? undefined : new RawWheel(handle, false, u32[r.STATUS] === r.DONE);
  }

  schedule(delayMs: number, id: number): number {
    this.#select();
    f64[r.NUMBER] = delayMs;
    u32[r.ID] = id;
    native.schedule();
    const timer = f64[r.TIMER]!;
    if (timer === 0) throw u32[r.STATUS] === r.CLOSED ? closedError() : fullError();
    return timer;
  }

  cancel(timer: number): boolean {
    if (this.#cancelled?.cancel(timer) === true) return true;
    this.#select();
    if (--this.#untilLog === 0) this.#cancelled = CancelLog.open();
    f64[r.TIMER] = timer;
    native.cancel();
    return u32[r.STATUS] === r.DONE;
  }

  reschedule(timer: number, delayMs: number): boolean {
    this.#select();
    f64[r.TIMER] = timer;
    f64[r.NUMBER] = delayMs;
    native.reschedule();
    return u32[r.STATUS] === r.DONE;
  }

  scheduleMany(delaysMs: Uint32Array, ids: Uint32Array, handles: Float64Array): number {
    this.#select();
    native.scheduleMany(delaysMs, ids, handles);
    if (u32[r.STATUS] === r.CLOSED) throw closedError();
    return f64[r.NUMBER]!;
  }

  cancelMany(handles: Float64Array): number {
    this.#select();
    native.cancelMany(handles);
    return f64[r.NUMBER]!;
  }

  advance(nowMs: number): Uint32Array | undefined {
    this.#select();
    f64[r.NUMBER] = nowMs;
    return native.advance();
  }

  get size(): number {
    this.#select();
    native.size();
    return f64[r.NUMBER]!;
  }

  nextExpiryMs(): number | undefined {
    this.#select();
    native.nextExpiry();
    return u32[r.STATUS] === r.DONE ? f64[r.NUMBER] : undefined;
  }

  get nowMs(): number {
    this.#select();
    native.now();
    return f64[r.NUMBER]!;
  }

  reference(referenced: boolean): void {
    this.checkOpen();
    native.reference(this.#handle, referenced ? 1 : 0);
  }

  share(): { id: number; nonce: number } {
    this.checkOpen();
    this.#endLog();
    return native.share(this.#handle);
  }

  close(): void {
    if (this.#handle < 0) return;
    r.listeners.delete(this.#handle);
    this.#endLog();
    native.close(this.#handle);
    this.#handle = -1;
  }

  get closed(): boolean {
    return this.#handle < 0;
  }

  checkOpen(): void {
    if (this.#handle < 0) throw closedError();
  }

  /** The wheel drains it in the call that follows. */
  #endLog(): void {
    this.#cancelled?.end();
    this.#cancelled = undefined;
    this.#untilLog = Infinity;
  }

  #select(): void {
    if (this.#handle < 0) throw closedError();
    u32[r.WHEEL] = this.#handle;
  }
}
