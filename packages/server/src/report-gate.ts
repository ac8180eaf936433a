/**
 * Bounds the reports that are on their way from workers to the main thread: a handler that fails on every
 * connection of a churning crowd must not fill the memory of a main thread that is busy.
 */
const ON_THEIR_WAY = 0;
const SUPPRESSED = 1;
const MOST = 256;

export class ReportGate {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.#words = new Int32Array(memory);
  }

  get memory(): SharedArrayBuffer {
    return this.#words.buffer as SharedArrayBuffer;
  }

  /** Sender: whether a report may go. One that may not is counted. */
  enter(): boolean {
    if (Atomics.add(this.#words, ON_THEIR_WAY, 1) < MOST) return true;
    Atomics.sub(this.#words, ON_THEIR_WAY, 1);
    Atomics.add(this.#words, SUPPRESSED, 1);
    return false;
  }

  /** Receiver: one has arrived. */
  leave(): void {
    Atomics.sub(this.#words, ON_THEIR_WAY, 1);
  }

  get suppressed(): number {
    return Atomics.load(this.#words, SUPPRESSED);
  }
}
