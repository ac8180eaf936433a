import { checkInteger } from '@millrace/native';
import { framingError } from './errors.js';
import type { Frame } from './frame.js';
import { isAscii, SHORT_BYTES, shortLatin1 } from './short-string.js';

// What Buffer.prototype has had since Node 0.10 and @types/node leaves out: toString without its argument checks.
interface SliceableBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
  utf8Slice(start: number, end: number): string;
}

const NONE = new Uint32Array(0);

/**
 * @internal A Frame over memory that is set once: `reset` moves it to the next message and costs four stores. Used and
 * extended by those who own the memory. Memory may be up to 4 GiB - 64 KiB long, and shared.
 */
export class FrameView implements Frame {
  /** Where the payload begins in `memory`. */
  start = 0;
  /** Bytes of the payload, -1 once expired. */
  protected length = -1;
  protected memory!: SliceableBuffer;
  #data!: DataView;
  /** Pairs of offset (from `start`) and length. */
  #parts!: Uint32Array;
  #partsIndex = 0;
  #partCount = 0;

  /** @param parts - pairs of 32-bit words: where a part begins, from the start of its frame, and its bytes */
  constructor(memory: Uint8Array = new Uint8Array(0), parts: Uint32Array = NONE) {
    this.setMemory(memory, parts);
  }

  /** Goes over to other memory. The frame is expired until `reset`. */
  setMemory(memory: Uint8Array, parts: Uint32Array = NONE): void {
    const { buffer, byteOffset, byteLength } = memory;
    this.memory = Buffer.from(buffer, byteOffset, byteLength) as SliceableBuffer;
    this.#data = new DataView(buffer, byteOffset, byteLength);
    this.#parts = parts;
    this.expire();
  }

  /** Shows `length` bytes at `start` of the memory, whose parts begin at word `partsIndex`. */
  reset(start: number, length: number, partsIndex: number, partCount: number): void {
    this.start = start;
    this.length = length;
    this.#partsIndex = partsIndex;
    this.#partCount = partCount;
  }

  /** From now on everything throws `ERR_MESSAGE_EXPIRED`. */
  expire(): void {
    this.length = -1;
    this.#partCount = 0;
  }

  get expired(): boolean {
    return this.length < 0;
  }

  get byteLength(): number {
    if (this.length < 0) this.#refuse();
    return this.length;
  }

  get partCount(): number {
    if (this.length < 0) this.#refuse();
    return this.#partCount;
  }

  u8(offset: number): number {
    return this.#data.getUint8(this.#at(offset, 1));
  }

  u16(offset: number, littleEndian = false): number {
    return this.#data.getUint16(this.#at(offset, 2), littleEndian);
  }

  u32(offset: number, littleEndian = false): number {
    return this.#data.getUint32(this.#at(offset, 4), littleEndian);
  }

  i32(offset: number, littleEndian = false): number {
    return this.#data.getInt32(this.#at(offset, 4), littleEndian);
  }

  u64(offset: number, littleEndian = false): bigint {
    return this.#data.getBigUint64(this.#at(offset, 8), littleEndian);
  }

  f64(offset: number, littleEndian = false): number {
    return this.#data.getFloat64(this.#at(offset, 8), littleEndian);
  }

  latin1(start = 0, end = this.length): string {
    this.#checkRange(start, end);
    return this.#latin1(this.start + start, end - start);
  }

  utf8(start = 0, end = this.length): string {
    this.#checkRange(start, end);
    return this.#utf8(this.start + start, end - start);
  }

  view(start = 0, end = this.length): Uint8Array<ArrayBufferLike> {
    this.#checkRange(start, end);
    return this.#view(this.start + start, end - start);
  }

  copy(start = 0, end = this.length): Buffer<ArrayBuffer> {
    this.#checkRange(start, end);
    const copy = Buffer.allocUnsafe(end - start);
    this.memory.copy(copy, 0, this.start + start, this.start + end);
    return copy;
  }

  part(i: number): Uint8Array<ArrayBufferLike> {
    const word = this.#part(i);
    return this.#view(this.start + this.#parts[word]!, this.#parts[word + 1]!);
  }

  partLatin1(i: number): string {
    const word = this.#part(i);
    return this.#latin1(this.start + this.#parts[word]!, this.#parts[word + 1]!);
  }

  partUtf8(i: number): string {
    const word = this.#part(i);
    return this.#utf8(this.start + this.#parts[word]!, this.#parts[word + 1]!);
  }

  partOffset(i: number): number {
    return this.#parts[this.#part(i)]!;
  }

  partLength(i: number): number {
    return this.#parts[this.#part(i) + 1]!;
  }

  // Offset in memory of `bytes` bytes at `offset` of the frame. An expired frame has no valid offset.
  #at(offset: number, bytes: number): number {
    if (offset >>> 0 !== offset || offset + bytes > this.length) {
      this.#refuse();
      checkInteger('offset', offset, 0, this.length - bytes);
    }
    return this.start + offset;
  }

  #checkRange(start: number, end: number): void {
    if (start >>> 0 !== start || end >>> 0 !== end || start > end || end > this.length) {
      this.#refuse();
      checkInteger('end', end, 0, this.length);
      checkInteger('start', start, 0, end);
    }
  }

  // Index among the part words.
  #part(i: number): number {
    if (i >>> 0 !== i || i >= this.#partCount) {
      this.#refuse();
      checkInteger('i', i, 0, this.#partCount - 1);
    }
    return this.#partsIndex + 2 * i;
  }

  #refuse(): void {
    if (this.length >= 0) return;
    throw framingError(
      'ERR_MESSAGE_EXPIRED',
      'The frame is no longer valid: its memory belongs to others now. Take what is needed longer with copy() or utf8() in time.',
    );
  }

  #latin1(at: number, length: number): string {
    return length <= SHORT_BYTES ? shortLatin1(this.memory, at, length) : this.memory.latin1Slice(at, at + length);
  }

  #utf8(at: number, length: number): string {
    return length <= SHORT_BYTES && isAscii(this.memory, at, length)
      ? shortLatin1(this.memory, at, length)
      : this.memory.utf8Slice(at, at + length);
  }

  // Not a Buffer: slice() of a Uint8Array copies, as its type says.
  #view(at: number, length: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(this.memory.buffer, this.memory.byteOffset + at, length);
  }
}
