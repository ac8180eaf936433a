import { forget, hold, listen } from './event-loop.js';
import { type Handle, native } from './native.js';
import type { WaitOptions } from './types.js';
import { checkWaitOptions, type NOT_YET, WaitLine } from './wait-line.js';

/** The promises of one handle: a line of pops and a line of pushes, rung by one bell, keeping the process alive. */
export class QueueWaits {
  readonly #handle: Handle;
  readonly #readers: WaitLine;
  readonly #writers: WaitLine;
  #listening = false;
  #holds = true;

  constructor(handle: Handle) {
    this.#handle = handle;
    this.#readers = new WaitLine({
      enter: () => {
        this.#listen();
        native.enterReader(handle);
      },
      settle: () => {
        native.settleReader(handle);
        this.#rest();
      },
    });
    this.#writers = new WaitLine({
      enter: () => {
        this.#listen();
        native.enterWriter(handle);
      },
      settle: () => {
        native.settleWriter(handle);
        this.#rest();
      },
    });
  }

  get noReaders(): boolean {
    return this.#readers.isEmpty;
  }
  get noWriters(): boolean {
    return this.#writers.isEmpty;
  }

  pop<T>(options: WaitOptions | undefined, attempt: () => T | typeof NOT_YET): Promise<T> {
    return this.#readers.add(attempt, checkWaitOptions(options), 'The pop');
  }

  push(options: WaitOptions | undefined, attempt: () => void | typeof NOT_YET): Promise<void> {
    const gaveUp = (): void => native.giveUp(this.#handle, 1);
    return this.#writers.add(attempt, checkWaitOptions(options), 'The push', gaveUp);
  }

  failAll(error: () => Error): void {
    this.#readers.failAll(error);
    this.#writers.failAll(error);
  }

  /** Whether what waits here keeps the process alive. */
  hold(holds: boolean): void {
    if (holds === this.#holds) return;
    this.#holds = holds;
    if (this.#listening) hold(holds ? 1 : -1);
  }

  #listen(): void {
    if (this.#listening) return;
    listen(this.#handle, () => {
      this.#readers.woken();
      this.#writers.woken();
    });
    this.#listening = true;
    if (this.#holds) hold(1);
  }

  #rest(): void {
    if (!this.#listening || !this.#readers.isEmpty || !this.#writers.isEmpty) return;
    this.#listening = false;
    forget(this.#handle);
    if (this.#holds) hold(-1);
  }
}

/** Iterates by `pop`, until it answers undefined. `return()` ends a pop that waits, so that it takes nothing. */
export function iterate(pop: (options: WaitOptions) => Promise<Buffer | undefined>): AsyncIterableIterator<Buffer> {
  const end = new AbortController();
  const options = { signal: end.signal };
  return {
    async next(): Promise<IteratorResult<Buffer, undefined>> {
      if (end.signal.aborted) return { done: true, value: undefined };
      try {
        const value = await pop(options);
        if (value !== undefined) return { done: false, value };
        end.abort();
      } catch (error) {
        if (!end.signal.aborted) throw error;
      }
      return { done: true, value: undefined };
    },
    return(): Promise<IteratorResult<Buffer, undefined>> {
      end.abort();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
