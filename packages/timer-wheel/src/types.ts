/** What `share()` answers: structured-cloneable, and of use in this process only. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

declare const timer: unique symbol;
/** Names one timer, on any thread: a number, which names nothing any more once the timer has expired. */
export type TimerHandle = number & { readonly [timer]: true };

export interface TimerWheelOptions {
  /** Milliseconds, 1 to 2^31 − 1: timers expire at multiples of it. **Default:** 1 */
  tickMs?: number;
  /** Live timers, 1 to 4,294,901,760; 22 bytes each, taken as they are used. **Default:** 2^20 */
  capacity?: number;
  /** `'auto'`: the time that passes. `'manual'`: what `advance` says, for tests. **Default:** `'auto'` */
  clock?: 'auto' | 'manual';
}

/** What `setTimeout` of a wheel answers: works as the `Timeout` of Node.js does. */
export interface WheelTimeout extends Disposable {
  /** Lets the timeout keep the process alive, as it does when it is made. */
  ref(): this;
  unref(): this;
  hasRef(): boolean;
  /** Starts its delay anew, also after it has been called; not after `close`. */
  refresh(): this;
  /** What `clearTimeout` does. */
  close(): this;
}
