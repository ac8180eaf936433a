import { native } from './native.js';

const { cacheBlocks, cacheClasses, pageBytes } = native;
const UNITS_PER_PAGE = pageBytes / 64;

/** In the cache's memory: the picture is in script_cache.h. */
const COUNTS = 8;
const BLOCKS = COUNTS + 4 * cacheClasses;

/**
 * Takes and frees blocks of one handle without a call of native code, which would cost more than the allocation.
 *
 * For the handle's thread. Owns up to 8 free blocks of each size, and no more than 64 KiB of one; the addon gives them
 * back at the handle's end, on `trim()`, and when memory runs out. A block is freed by one compare-and-swap of its mark
 * {live, this handle's}, so whatever is no block of this handle's is left to the addon, and of several that free one
 * block one succeeds. An allocation costs a few loads and stores, a free an atomic one.
 */
export class BlockCache {
  readonly #allocations: Float64Array;
  readonly #counts: Uint32Array;
  readonly #blocks: Uint32Array;
  readonly #units: Uint16Array;
  readonly #slack: Uint16Array;
  readonly #pageClass: Uint8Array;
  readonly #metadata: ArrayBuffer;
  readonly #live: number;
  /** By size class. */
  readonly #sizes: Uint32Array;
  readonly #limits = new Uint32Array(256);
  /** By 64 bytes of a request. */
  readonly #classOf = new Uint8Array(UNITS_PER_PAGE + 1);

  /** For the slab in the handle register. */
  constructor() {
    const { cache, metadata, units, slack, pageClass, pages, live, sizes, limits } = native.inside();
    this.#allocations = new Float64Array(cache, 0, 1);
    this.#counts = new Uint32Array(cache, COUNTS, cacheClasses);
    this.#blocks = new Uint32Array(cache, BLOCKS, cacheClasses * cacheBlocks);
    this.#units = new Uint16Array(metadata, units, pages * UNITS_PER_PAGE);
    this.#slack = new Uint16Array(metadata, slack, pages * UNITS_PER_PAGE);
    this.#pageClass = new Uint8Array(metadata, pageClass, pages);
    this.#metadata = metadata;
    this.#live = live;
    this.#sizes = Uint32Array.from(sizes);
    this.#limits.set(limits);
    for (let unit = 0, at = 0; unit < this.#classOf.length; unit++) {
      if (unit * 64 > sizes[at]!) at++;
      this.#classOf[unit] = at;
    }
  }

  /** The offset of a block, or −1: the addon must be asked. @param byteLength - an unsigned integer of 32 bits */
  take(byteLength: number): number {
    if (byteLength > pageBytes) return -1;
    const sizeClass = this.#classOf[(byteLength + 63) >>> 6]!;
    const count = this.#counts[sizeClass]!;
    // Undefined after the end.
    if (!(count > 0)) return -1;
    const offset = this.#blocks[sizeClass * cacheBlocks + count - 1]!;
    this.#counts[sizeClass] = count - 1;
    this.#allocations[0]!++;
    this.#slack[offset >>> 6] = this.#sizes[sizeClass]! - byteLength;
    this.#units[offset >>> 6] = this.#live;
    return offset;
  }

  /** Whether the block is free now; if not, the addon must be asked. @param offset - an unsigned integer of 32 bits */
  put(offset: number): boolean {
    const unit = offset >>> 6;
    if (this.#units[unit] !== this.#live || (offset & 63) !== 0) return false;
    const sizeClass = this.#pageClass[offset >>> 16]!;
    const count = this.#counts[sizeClass]!;
    if (!(count < this.#limits[sizeClass]!)) return false;
    if (Atomics.compareExchange(this.#units, unit, this.#live, 0) !== this.#live) return false;
    this.#blocks[sizeClass * cacheBlocks + count] = offset;
    this.#counts[sizeClass] = count + 1;
    return true;
  }

  /** After the handle's end: nothing is to be found here any more. */
  end(): void {
    native.detachView(this.#metadata);
    native.detachView(this.#counts.buffer as ArrayBuffer);
  }
}
