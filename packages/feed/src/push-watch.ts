import type { EventEmitter } from 'node:events';
import type { Doorbell } from './doorbell.js';
import type { NativeFeed } from './native.js';
import type { Reports } from './reports.js';
import type { FeedEvents } from './types.js';

/**
 * Says that producers are held up, on a handle that somebody listens on. Pushes happen on any thread: the doorbell is
 * opened with the first listener, and stays open as long as the handle.
 */
export class PushWatch {
  readonly #native: NativeFeed;
  readonly #reports: Reports;
  readonly #out = new Float64Array(2);
  #reported = 0;
  #state: 'silent' | 'listening' | 'ended' = 'silent';

  constructor(native: NativeFeed, doorbell: Doorbell, reports: Reports, feed: EventEmitter<FeedEvents>) {
    this.#native = native;
    this.#reports = reports;
    const emitter = feed as EventEmitter;
    emitter.on('newListener', (event: string | symbol) => {
      if (event !== 'slowPush' || this.#state !== 'silent') return;
      this.#state = 'listening';
      doorbell.use();
    });
  }

  /** The doorbell has rung. */
  check(): void {
    if (this.#state !== 'listening') return;
    this.#native.slowPushes(this.#out);
    const [count, latestNs] = this.#out as unknown as [number, number];
    if (count === this.#reported) return;
    this.#reports.emit('slowPush', { elapsedUs: latestNs / 1000, pushes: count - this.#reported });
    this.#reported = count;
  }

  /** The handle is let go of. */
  end(): void {
    this.#state = 'ended';
  }
}
