export type { ErrorCode } from './errors.js';
export { GrowableBuffer } from './growable-buffer.js';
export { SlabAllocator } from './slab-allocator.js';
export type { GrowableBufferOptions, SharedToken, SlabOptions, SlabStats } from './types.js';
