import type { EventEmitter } from 'node:events';
import { errors } from './errors.js';
import type { FeedEvents } from './types.js';

/** What consumers have to say, as events of the feed: later, because a `push` may be on the stack. */
export class Reports {
  readonly #feed: EventEmitter<FeedEvents>;
  #warned = false;

  constructor(feed: EventEmitter<FeedEvents>) {
    this.#feed = feed;
  }

  emit<E extends 'warn' | 'stuck' | 'replaced' | 'slowPush' | 'error'>(event: E, ...args: FeedEvents[E]): void {
    process.nextTick(() => this.#feed.emit(event, ...(args as never)));
  }

  /** A batch function failed, and so did `suppressed` others of which nothing was said. */
  batchFailed(cause: unknown, suppressed: number): void {
    const error = errors.consumer(cause, suppressed);
    if (this.#feed.listenerCount('error') > 0) {
      this.emit('error', error);
    } else if (!this.#warned) {
      this.#warned = true;
      process.emitWarning(error.message, { type: 'FeedWarning', code: error.code, detail: detailOf(cause) });
    }
  }
}

function detailOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
