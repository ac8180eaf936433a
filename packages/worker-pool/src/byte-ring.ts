import { Kind, MAX_INLINE_BYTES } from './layout.js';

const ALIGNMENT_MASK = 7;

/** ES2024's, which Node 20 has. */
type WellFormed = string & { isWellFormed(): boolean };

const aligned = (length: number): number => (length + ALIGNMENT_MASK) & ~ALIGNMENT_MASK;

/**
 * One side's half of a ring of bytes that values lie in, each in one piece. A thread writes, another reads in the same
 * order, each with an object of its own over the same memory. Owns nothing; `position` counts up and wraps at 2^32.
 * Costs a copy each way.
 */
export class ByteRing {
  /** Writer: where `write` put the last value. */
  offset = 0;
  length = 0;
  readonly #bytes: Buffer;
  readonly #view: Uint8Array;
  readonly #words: Int32Array;
  readonly #readWord: number;
  readonly #mask: number;
  #position = 0;

  /** `readWord`: the index of the word by which the reader says how far it is. */
  constructor(bytes: Buffer, words: Int32Array, readWord: number) {
    this.#bytes = bytes;
    this.#view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#words = words;
    this.#readWord = readWord;
    this.#mask = bytes.length - 1;
  }

  /** Answers the value's kind; `Kind.Posted` when it is not for rings, or there is no room. */
  write(value: unknown): Kind {
    if (typeof value === 'string') return this.#writeString(value);
    return isPlainBytes(value) ? this.#writeBytes(value) : Kind.Posted;
  }

  #writeString(text: string): Kind {
    const units = text.length;
    // A lone surrogate has no UTF-8; what is cloned keeps it.
    if (units > MAX_INLINE_BYTES || !(text as WellFormed).isWellFormed()) return Kind.Posted;
    const most = Math.min(units * 3, MAX_INLINE_BYTES);
    const offset = this.#reserve(most);
    if (offset < 0) return Kind.Posted;
    const written = this.#bytes.write(text, offset, most, 'utf8');
    if (most < units * 3 && Buffer.byteLength(text) !== written) return Kind.Posted;
    // As many bytes as characters: all of it is ASCII.
    this.#commit(offset, written);
    return written === units ? Kind.Latin1 : Kind.Utf8;
  }

  #writeBytes(bytes: Uint8Array): Kind {
    const { length } = bytes;
    if (length > MAX_INLINE_BYTES) return Kind.Posted;
    const offset = this.#reserve(length);
    if (offset < 0) return Kind.Posted;
    this.#bytes.set(bytes, offset);
    this.#commit(offset, length);
    return Kind.Bytes;
  }

  /** The place of so many bytes; −1: no room. */
  #reserve(length: number): number {
    const size = this.#mask + 1;
    let offset = this.#position & this.#mask;
    const skipped = offset + length > size ? size - offset : 0;
    const used = (this.#position - Atomics.load(this.#words, this.#readWord)) >>> 0;
    if (used + skipped + aligned(length) >= size) return -1;
    if (skipped > 0) offset = 0;
    return offset;
  }

  #commit(offset: number, length: number): void {
    this.offset = offset;
    this.length = length;
    this.#pass(offset, length);
  }

  #pass(offset: number, length: number): void {
    const skipped = (offset - this.#position) & this.#mask;
    this.#position = (this.#position + skipped + aligned(length)) | 0;
  }

  /** Reader: a value that is in the ring. What it answers is a copy. */
  read(kind: Kind, offset: number, length: number): string | Uint8Array {
    const end = offset + length;
    const value =
      kind === Kind.Bytes
        ? this.#view.slice(offset, end)
        : this.#bytes.toString(kind === Kind.Latin1 ? 'latin1' : 'utf8', offset, end);
    this.skip(offset, length);
    return value;
  }

  /** Reader: the value is not wanted. */
  skip(offset: number, length: number): void {
    this.#pass(offset, length);
    Atomics.store(this.#words, this.#readWord, this.#position);
  }
}

/** A Uint8Array or Buffer over memory of its own; over shared memory it would have to stay shared. */
function isPlainBytes(value: unknown): value is Uint8Array {
  if (!(value instanceof Uint8Array) || !(value.buffer instanceof ArrayBuffer)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Uint8Array.prototype || prototype === Buffer.prototype;
}
