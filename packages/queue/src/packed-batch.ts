import { markAsUntransferable } from 'node:worker_threads';

/** Messages that fit into a batch of the usual size. */
const BATCH_BYTES = 64 * 1024;
const MAX_MESSAGES = 1024;

const aligned = (length: number): number => (length + 7) & ~7;

/** Messages one after another, each at a multiple of 8 bytes: what one native call moves in or out. */
export class PackedBatch {
  static readonly maxMessages = MAX_MESSAGES;
  static readonly #free: PackedBatch[] = [];

  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths = new Uint32Array(MAX_MESSAGES);
  // A view costs more than the message. Batches of messages of one size have them at the same places.
  readonly #views: (Uint8Array | undefined)[];

  private constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
    // A visit that gives its message away would take the others along.
    markAsUntransferable(this.bytes.buffer);
    this.#views = new Array<Uint8Array | undefined>(BATCH_BYTES / 8);
  }

  /** A batch of at least so many bytes, the caller's until it gives it back. */
  static take(byteLength = BATCH_BYTES): PackedBatch {
    const free = this.#free.pop();
    return free !== undefined && free.bytes.length >= byteLength
      ? free
      : new PackedBatch(Math.max(aligned(byteLength), BATCH_BYTES));
  }

  giveBack(): void {
    if (this.bytes.length === BATCH_BYTES) PackedBatch.#free.push(this);
  }

  /** Packs as many of `list`, from `first` on, as there is room for; answers how many. */
  pack(list: readonly Uint8Array[], first: number): number {
    const { bytes, lengths } = this;
    const most = Math.min(list.length - first, MAX_MESSAGES);
    let at = 0;
    let count = 0;
    for (; count < most; count++) {
      const message = list[first + count]!;
      const { length } = message;
      if (length > bytes.length - at) break;
      bytes.set(message, at);
      lengths[count] = length;
      at = aligned(at + length);
    }
    return count;
  }

  /** Calls `visit` for each of the first messages, whatever it throws, and keeps the first failure; answers where they end. */
  visit(count: number, visit: (bytes: Uint8Array) => void, failures: unknown[]): number {
    const { lengths } = this;
    let at = 0;
    for (let i = 0; i < count; i++) {
      const length = lengths[i]!;
      try {
        visit(this.#view(at, length));
      } catch (error) {
        if (failures.length === 0) failures.push(error);
      }
      at = aligned(at + length);
    }
    return at;
  }

  #view(at: number, length: number): Uint8Array {
    const place = at >>> 3;
    const known = this.#views[place];
    if (known !== undefined && known.length === length) return known;
    const made = new Uint8Array(this.bytes.buffer, at, length);
    if (place < this.#views.length) this.#views[place] = made;
    return made;
  }
}
