import type { NativeFeed } from './native.js';

/**
 * The way other threads reach this one's event loop: open while somebody here wants to be rung, and keeping the
 * process alive while somebody says so.
 */
export class Doorbell {
  readonly #native: NativeFeed;
  readonly #callback: () => void;
  #users = 0;
  #holders = 0;
  #held = false;

  constructor(native: NativeFeed, callback: () => void) {
    this.#native = native;
    this.#callback = callback;
  }

  use(): void {
    if (this.#users++ > 0) return;
    this.#native.openDoorbell(() => {
      try {
        this.#callback();
      } catch (error) {
        // Thrown from here it would be swallowed with a warning.
        setImmediate(() => {
          throw error;
        });
      }
    });
    this.#held = true; // as it is made
    this.#hold();
  }

  release(): void {
    if (--this.#users === 0) this.#native.closeDoorbell();
  }

  /** `change`: +1 or −1 of those who keep the process alive. */
  hold(change: number): void {
    this.#holders += change;
    this.#hold();
  }

  #hold(): void {
    const hold = this.#holders > 0;
    if (this.#users === 0 || hold === this.#held) return;
    this.#held = hold;
    this.#native.holdLoop(hold);
  }
}
