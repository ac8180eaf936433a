import { markAsUntransferable } from 'node:worker_threads';
import { BlockCache } from './block-cache.js';
import { blockError, bufferError, closedError, exhaustedError } from './errors.js';
import { native } from './native.js';
import { AttachedSlab, closeSlab, openSlab, type OpenSlab } from './open-slab.js';
import { checkBuffer, checkLength, checkOffset, checkOffsets, isU32 } from './options.js';
import * as r from './registers.js';
import { takeToken } from './token.js';
import type { SharedToken, SlabOptions, SlabStats } from './types.js';

const { u32, f64 } = r;

/** Closes what nobody has closed or shared when nobody can reach it any more. */
const forgotten = new FinalizationRegistry<OpenSlab>(closeSlab);

/** While somebody has a view of the arena, the blocks that it shows stay his. */
const viewers = new WeakMap<ArrayBufferLike, SlabAllocator>();

/**
 * Blocks of memory outside of the JavaScript heap, out of one arena of `maxBytes`, named by their offset in it.
 *
 * Any thread may have a handle on the same slab, by `share()` and `attach()`, and free what another one allocated. Owns
 * the blocks it has allocated and not handed on: `close()`, or the end of its thread, frees them; the arena goes with
 * the last handle and the last view of it. A pair of allocate and free of what this handle freed before takes no call of
 * native code, any other operation one; nothing is cleared, and the garbage collector sees none of it.
 *
 * Size classes and magazines of free blocks a thread (Bonwick and Adams, 2001), pages with bitmaps as jemalloc's, a
 * common pool of pages under all classes, so that no mix of sizes starves another.
 *
 * @example
 * const slab = new SlabAllocator({ maxBytes: 64 << 20 });
 * const offset = slab.allocate(1000); // a block of 1,024 bytes
 * slab.memory.set(bytes, offset);
 * slab.free(offset);
 */
export class SlabAllocator implements Disposable {
  readonly #open: OpenSlab;
  readonly #cache: BlockCache;
  #handle: number;
  #memory: Uint8Array<ArrayBuffer> | undefined;

  /** @throws TypeError, RangeError for options; `ENOMEM` when the address space is used up */
  constructor(options: SlabOptions = {}) {
    // attach() brings what it has opened.
    const given: unknown = options;
    this.#open = given instanceof AttachedSlab ? given : openSlab(options);
    this.#handle = this.#open.handle;
    this.#cache = this.#select(() => new BlockCache());
    forgotten.register(this, this.#open, this.#open);
  }

  /**
   * A handle for this thread on a slab of another one.
   *
   * @param token - what `share()` answered on a thread of this process
   * @throws ERR_SHARED_GONE if no thread has it open, ERR_LAYOUT_MISMATCH if another copy of this package made it
   */
  static attach(token: SharedToken<'slab'>): SlabAllocator {
    return new SlabAllocator(new AttachedSlab(token) as unknown as SlabOptions);
  }

  /**
   * All of the arena. A block is `memory.subarray(offset, offset + byteLength)`; nothing keeps a write inside of it.
   * After `close()` the view is empty. Posting a view to another thread would copy the whole arena: post the offset.
   */
  get memory(): Uint8Array<ArrayBufferLike> {
    if (this.#memory !== undefined) return this.#memory;
    const buffer = this.#select(native.memory);
    markAsUntransferable(buffer);
    viewers.set(buffer, this);
    this.#memory = new Uint8Array(buffer);
    return this.#memory;
  }

  /**
   * @param byteLength - bytes, 0 or more
   * @returns the offset of a block of at least so many bytes, a multiple of 64; not cleared
   * @throws ERR_SLAB_EXHAUSTED when there is none
   */
  allocate(byteLength: number): number {
    const offset = this.tryAllocate(byteLength);
    if (offset < 0) throw exhaustedError(byteLength);
    return offset;
  }

  /** As `allocate`, but answers −1 when there is none. */
  tryAllocate(byteLength: number): number {
    const bytes = isU32(byteLength) ? byteLength : checkLength(byteLength);
    const cached = this.#cache.take(bytes);
    if (cached >= 0) return cached;
    u32[r.HANDLE] = this.#handle;
    u32[r.BYTES] = bytes;
    native.allocate();
    const offset = u32[r.OFFSET]!;
    if (offset !== r.NO_BLOCK) return offset;
    if (u32[r.STATUS] === r.CLOSED) throw closedError('slab');
    return -1;
  }

  /**
   * @param offset - of a live block, whichever thread allocated it
   * @throws ERR_SLAB_INVALID_BLOCK if no live block starts there: nothing is freed
   */
  free(offset: number): void {
    if (!isU32(offset)) checkOffset(offset);
    if (this.#cache.put(offset)) return;
    u32[r.OFFSET] = offset;
    u32[r.HANDLE] = this.#handle;
    native.free();
    if (u32[r.STATUS] !== r.OK) this.#refuse(offset);
  }

  /**
   * Fills `out` with blocks of at least so many bytes each.
   *
   * @returns how many: fewer than `out.length` when the slab has no more
   */
  allocateMany(byteLength: number, out: Uint32Array): number {
    const bytes = checkLength(byteLength);
    checkOffsets('out', out);
    u32[r.HANDLE] = this.#handle;
    u32[r.BYTES] = bytes;
    native.allocateMany(out);
    if (u32[r.STATUS] !== r.OK) throw closedError('slab');
    return u32[r.OFFSET]!;
  }

  /** @throws ERR_SLAB_INVALID_BLOCK for the first that is no live block; the others have been freed then */
  freeMany(offsets: Uint32Array): void {
    checkOffsets('offsets', offsets);
    u32[r.HANDLE] = this.#handle;
    native.freeMany(offsets);
    if (u32[r.STATUS] === r.OK) return;
    const index = u32[r.OFFSET]!;
    this.#refuse(offsets[index]!, index);
  }

  /**
   * A Buffer over a block of its own, for code that wants Buffers: some microseconds, where `allocate` takes a fraction.
   * It is freed by `freeBuffer`, which empties it or, where that is forgotten, when it is garbage; `close()` leaves it be.
   *
   * @throws ERR_SLAB_EXHAUSTED
   */
  allocateBuffer(byteLength: number): Buffer {
    const bytes = checkLength(byteLength);
    u32[r.HANDLE] = this.#handle;
    u32[r.BYTES] = Math.max(bytes, 1);
    const memory = native.allocateBuffer();
    if (u32[r.STATUS] === r.CLOSED) throw closedError('slab');
    if (u32[r.STATUS] === r.EXHAUSTED) throw exhaustedError(byteLength);
    markAsUntransferable(memory);
    return Buffer.from(memory, 0, bytes);
  }

  /**
   * Empties what `allocateBuffer` answered on this thread, and frees its block. Not before I/O that uses it has ended.
   *
   * @throws ERR_SLAB_INVALID_BLOCK for any other Buffer
   */
  freeBuffer(buffer: Buffer): void {
    const memory = checkBuffer(buffer).buffer;
    if (!(memory instanceof ArrayBuffer) || viewers.has(memory)) throw bufferError(buffer);
    this.#select(() => native.freeBuffer(memory));
    if (u32[r.STATUS] !== r.OK) throw bufferError(buffer);
  }

  /**
   * The block becomes nobody's: it outlives this handle and its thread, and whoever frees it is who was told the offset.
   *
   * @throws ERR_SLAB_INVALID_BLOCK
   */
  handOn(offset: number): void {
    this.#setOwner(offset, 0);
  }

  /**
   * The block becomes this handle's, whichever it was allocated by: the other half of `handOn`.
   *
   * @throws ERR_SLAB_INVALID_BLOCK
   */
  adopt(offset: number): void {
    this.#setOwner(offset, 1);
  }

  /** Size of the block that a request for so many bytes gets. */
  blockBytes(byteLength: number): number {
    u32[r.BYTES] = checkLength(byteLength);
    this.#select(native.blockBytes);
    return f64[r.LENGTH]!;
  }

  /** Gives all free memory back to the system at once, that in the caches of threads too; answers the bytes. */
  trim(): number {
    return this.#select(native.trim);
  }

  /** Looks at each live block once: about a millisecond for a million of them. */
  stats(): SlabStats {
    return this.#select(native.stats);
  }

  /** What `attach` takes on another thread, while one handle is open; it can be posted. */
  share(): SharedToken<'slab'> {
    const token = this.#select(takeToken);
    forgotten.unregister(this.#open);
    return token;
  }

  /** Frees what this handle has allocated and not handed on, and lets go of the slab. Idempotent. */
  close(): void {
    if (this.#handle === r.NO_HANDLE) return;
    this.#handle = r.NO_HANDLE;
    forgotten.unregister(this.#open);
    closeSlab(this.#open);
    this.#cache.end();
    if (this.#memory !== undefined) native.detachView(this.#memory.buffer);
    this.#memory = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal The handle of an open slab. */
  static handleOf(slab: SlabAllocator): number {
    if (slab.#handle === r.NO_HANDLE) throw closedError('slab');
    return slab.#handle;
  }

  /** What the call answers for this slab. */
  #select<T>(call: () => T): T {
    u32[r.HANDLE] = this.#handle;
    const answer = call();
    if (u32[r.STATUS] === r.CLOSED) throw closedError('slab');
    return answer;
  }

  #setOwner(offset: number, mine: 0 | 1): void {
    u32[r.OFFSET] = checkOffset(offset);
    this.#select(() => native.setOwner(mine));
    if (u32[r.STATUS] !== r.OK) this.#refuse(offset);
  }

  #refuse(offset: number, index?: number): never {
    if (u32[r.STATUS] === r.CLOSED) throw closedError('slab');
    throw blockError(offset, u32[r.STATUS]!, index);
  }
}
