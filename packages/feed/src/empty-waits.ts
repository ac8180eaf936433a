import type { Doorbell } from './doorbell.js';
import type { NativeFeed } from './native.js';

/** Promises for the moment when nothing is in flight. The doorbell rings for it while one is pending. */
export class EmptyWaits {
  readonly #native: NativeFeed;
  readonly #doorbell: Doorbell;
  readonly #pending = new Set<(empty: boolean) => void>();

  constructor(native: NativeFeed, doorbell: Doorbell) {
    this.#native = native;
    this.#doorbell = doorbell;
  }

  /** False after `timeoutMs` (never, if that is `undefined`) and when cancelled. */
  wait(timeoutMs?: number): Promise<boolean> {
    // Watch first, then look: what becomes empty in between rings.
    this.#doorbell.use();
    this.#doorbell.hold(+1);
    this.#native.watchEmpty(true);
    return new Promise((resolve) => {
      const finish = (empty: boolean) => {
        clearTimeout(timer);
        this.#pending.delete(finish);
        this.#native.watchEmpty(false);
        this.#doorbell.hold(-1);
        this.#doorbell.release();
        resolve(empty);
      };
      this.#pending.add(finish);
      const timer = timeoutMs === undefined ? undefined : setTimeout(finish, timeoutMs, false);
      this.check();
    });
  }

  check(): void {
    if (this.#pending.size > 0 && this.#native.empty()) this.#finishAll(true);
  }

  cancel(): void {
    this.#finishAll(false);
  }

  #finishAll(empty: boolean): void {
    for (const finish of [...this.#pending]) finish(empty);
  }
}
