/** Structural on purpose: each package declares and exports the same interface, so tokens need no common package. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

/** What a slab may take, and which sizes its blocks have. */
export interface SlabOptions {
  /** Of the arena: 64 KiB to 4 GiB − 64 KiB, in whole 64 KiB. Rounded down. **Default:** 64 MiB */
  maxBytes?: number;
  /** The smallest block: 64 to `maxBlockBytes`, rounded up to a multiple of 64. **Default:** 64 */
  minBlockBytes?: number;
  /** The largest block that shares a page with others: up to 32 KiB. **Default:** 32 KiB */
  maxBlockBytes?: number;
  /**
   * The largest ratio of neighbouring sizes, 1.125 to 2: 1.25 wastes at most 20 % of a block above 256 bytes. Between
   * the steps 1.125, 1.25, 1.5 and 2 the lower one counts. **Default:** 1.25
   */
  growthFactor?: number;
  /**
   * Memory that was free and not needed for so long goes back to the system, by a timer of the thread that made the
   * slab; the timer keeps no process alive. Milliseconds, 0: only `trim()` gives back. **Default:** 10,000
   */
  decayMs?: number;
}

/** Figures of a moment; while other threads allocate they are not of the same one. */
export interface SlabStats {
  readonly maxBytes: number;
  /** Address space: the arena and what the slab knows about it. */
  readonly reservedBytes: number;
  /** Of the arena: pages in use, and free ones that were not given back to the system yet. */
  readonly committedBytes: number;
  /** Live blocks, whole. */
  readonly inUseBytes: number;
  /** What was asked for, of live blocks. */
  readonly requestedBytes: number;
  readonly allocations: number;
  readonly frees: number;
  /** Allocations that found no memory. */
  readonly exhausted: number;
  /** By size; requests above the largest get pages of 64 KiB of their own. */
  readonly classes: readonly { readonly blockBytes: number; readonly blocks: number; readonly inUse: number }[];
}

/** How a buffer grows, and where to. */
export interface GrowableBufferOptions {
  /** The first block, taken at the first append: 1 byte or more. **Default:** 1 KiB */
  initialBytes?: number;
  /** Beyond this the bytes move to a temporary file. **Default:** 1 MiB */
  mapThresholdBytes?: number;
  /** Of the file; on tmpfs only with `allowMemoryFileSystem`. **Default:** `/var/tmp` */
  directory?: string;
  /** The most bytes it can hold at a time: 1 to 4 GiB − 64 KiB. **Default:** 1 GiB */
  maxBytes?: number;
  /** A file on tmpfs lies in memory, which it is there to save. **Default:** false: refused */
  allowMemoryFileSystem?: boolean;
}
