import { AbortKind, Word } from './layout.js';
import type { TaskContext } from './types.js';

/** One task's view of its worker and its caller; for the worker's thread, valid for as long as anybody keeps it. */
export class RunningTask implements TaskContext {
  readonly #words: Int32Array;
  readonly #position: number;
  readonly workerData: unknown;
  #controller: AbortController | undefined;

  constructor(words: Int32Array, position: number, workerData: unknown) {
    this.#words = words;
    this.#position = position;
    this.workerData = workerData;
  }

  get workerIndex(): number {
    return this.#words[Word.Index]!;
  }

  get aborted(): boolean {
    // Atomic, or a loop could have the load moved out of it.
    return Atomics.load(this.#words, Word.Aborted) === this.#position && this.#words[Word.AbortKind] !== 0;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.deliver();
    }
    return this.#controller.signal;
  }

  /** Aborts the signal if the caller has: called whenever the event loop turns. */
  deliver(): void {
    if (this.#controller === undefined || this.#controller.signal.aborted || !this.aborted) return;
    const timeout = this.#words[Word.AbortKind] === Number(AbortKind.Timeout);
    this.#controller.abort(
      timeout
        ? new DOMException('The task has timed out', 'TimeoutError')
        : new DOMException('The task was aborted', 'AbortError'),
    );
  }
}
