import { checkBytes, checkInteger } from '@millrace/native';
import { closedError, exhaustedError, fullError, systemError, typeError } from './errors.js';
import { native } from './native.js';
import { checkBufferOptions } from './options.js';
import * as r from './registers.js';
import { SlabAllocator } from './slab-allocator.js';
import type { GrowableBufferOptions } from './types.js';

const { u32, f64 } = r;

/** Closes what nobody has closed when nobody can reach it any more. */
const forgotten = new FinalizationRegistry<number>((handle) => native.closeGrowable(handle));

/**
 * Bytes that are appended at one end and consumed at the other, always in one piece: in a block of a slab that doubles
 * as it fills, and beyond `mapThresholdBytes` in a temporary file without a name, mapped into memory, where they stay
 * until `close()`.
 *
 * For the thread that made it. Owns its block or its file; the slab must stay open. An append copies the bytes, and
 * amortised once more while they are in the slab; in the file they are never copied again. A file takes memory only as
 * it is written, disk space in steps of up to 64 MiB, and `consume` gives both back: whatever has passed through, what
 * is resident is what is in it now.
 *
 * @example
 * const buffer = new GrowableBuffer(slab, { maxBytes: 1 << 30 });
 * buffer.append('hello, ');
 * buffer.append(Buffer.from('world'));
 * buffer.bytes().toString(); // 'hello, world'
 * buffer.consume(7);
 */
export class GrowableBuffer implements Disposable {
  readonly #slab: SlabAllocator;
  readonly #maxBytes: number;
  readonly #directory: string;
  #handle: number;
  #length = 0;
  #capacity = 0;
  #mapped = false;
  /** Of the file: taken away from whoever has it at the next change. */
  #view: Buffer<ArrayBuffer> | undefined;

  /** @throws TypeError, RangeError for options; ERR_SLAB_CLOSED */
  constructor(slab: SlabAllocator, options: GrowableBufferOptions = {}) {
    if (!(slab instanceof SlabAllocator)) throw typeError('slab', 'an instance of SlabAllocator', slab);
    const words = checkBufferOptions(options);
    [, , this.#maxBytes, this.#directory] = words;
    this.#slab = slab;
    u32[r.HANDLE] = SlabAllocator.handleOf(slab);
    this.#handle = native.openGrowable(...words);
    forgotten.register(this, this.#handle, this);
  }

  /** Bytes in it. */
  get length(): number {
    return this.#length;
  }

  /** Bytes it can hold without another block or more disk space. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Whether the bytes are in a file. */
  get mapped(): boolean {
    return this.#mapped;
  }

  /**
   * All or nothing: where it throws, what was there before is there still. The bytes may be some of its own.
   *
   * @param encoding - of a string. **Default:** `'utf8'`
   * @returns the number of bytes appended
   * @throws ERR_SLAB_BUFFER_FULL above `maxBytes`, ERR_SLAB_EXHAUSTED, ERR_SLAB_MEMORY_FILE_SYSTEM; `ENOSPC` (a full
   *   disk), `ENOENT` (no such folder), `EFBIG` and the like with `errno` and `syscall`
   */
  append(bytes: Uint8Array | string, encoding?: BufferEncoding): number {
    let given = typeof bytes === 'string' ? Buffer.from(bytes, encoding) : checkBytes('bytes', bytes);
    // Bytes of its own, in the view that ends now.
    if (given.buffer === this.#view?.buffer) given = Buffer.from(given);
    this.#change();
    const syscall = native.append(given);
    const status = u32[r.STATUS]!;
    if (status === r.OK) {
      this.#note();
      return given.length;
    }
    if (status === r.CLOSED) throw closedError('buffer');
    if (status === r.TOO_LONG) throw fullError(this.#length, given.length, this.#maxBytes);
    if (status === r.EXHAUSTED) throw exhaustedError(this.#length + given.length);
    throw systemError(u32[r.ERROR]!, syscall!, this.#directory);
  }

  /** Forgets the first bytes, at most all. Of a file, memory and disk space go back in whole 64 KiB. */
  consume(byteLength: number): void {
    const bytes = checkInteger('byteLength', byteLength, 0);
    this.#change();
    native.consume(bytes);
    if (u32[r.STATUS] !== r.OK) throw closedError('buffer');
    this.#note();
  }

  /** A view of all bytes, valid until the next append, consume or close. */
  bytes(): Buffer {
    if (this.#view !== undefined) return this.#view;
    // The slab's view, which must be made before the registers are set.
    const arena = this.#mapped || this.#handle === r.NO_HANDLE ? undefined : this.#slab.memory;
    u32[r.HANDLE] = this.#handle;
    const file = native.bytes();
    if (u32[r.STATUS] !== r.OK) throw closedError('buffer');
    if (file === undefined) return Buffer.from(arena!.buffer, u32[r.OFFSET], this.#length);
    this.#view = Buffer.from(file);
    return this.#view;
  }

  /** Gives block or file back. Idempotent. */
  close(): void {
    if (this.#handle === r.NO_HANDLE) return;
    this.#change();
    forgotten.unregister(this);
    native.closeGrowable(this.#handle);
    this.#handle = r.NO_HANDLE;
    this.#length = this.#capacity = 0;
    this.#mapped = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Before a call that moves bytes: the last view of the file ends. */
  #change(): void {
    if (this.#view !== undefined) native.detachView(this.#view.buffer);
    this.#view = undefined;
    u32[r.HANDLE] = this.#handle;
  }

  #note(): void {
    this.#length = f64[r.LENGTH]!;
    this.#capacity = f64[r.CAPACITY]!;
    this.#mapped = u32[r.MAPPED] !== 0;
  }
}
