import { performance } from 'node:perf_hooks';
import { SlabAllocator } from '@millrace/slab';
import { timed } from '../../../scripts/bench/timed.mjs';

const LIVE = 64;
const MANY = 1000;

/**
 * Blocks and Buffers that are replaced in turns, 64 of them live. Each contender has a loop of its own source, so that
 * none is compiled for another's types.
 *
 * @param {number} bytes
 * @returns {{ name: string, sample: () => Promise<number> }[]} nanoseconds for one that goes and one that comes
 */
export function handleContenders(bytes) {
  const slab = new SlabAllocator({ maxBytes: 256 << 20 });
  const { memory } = slab;
  const offsets = Uint32Array.from({ length: LIVE }, () => slab.allocate(bytes));
  const buffers = new Array(LIVE).fill(undefined);
  const loops = {
    blocks: (iterations) => {
      for (let i = 0; i < iterations; i++) {
        slab.free(offsets[i % LIVE]);
        offsets[i % LIVE] = slab.allocate(bytes);
      }
    },
    zeroedBlocks: (iterations) => {
      for (let i = 0; i < iterations; i++) {
        slab.free(offsets[i % LIVE]);
        const offset = slab.allocate(bytes);
        memory.fill(0, offset, offset + bytes);
        offsets[i % LIVE] = offset;
      }
    },
    allocUnsafe: (iterations) => {
      for (let i = 0; i < iterations; i++) buffers[i % LIVE] = Buffer.allocUnsafe(bytes);
    },
    allocUnsafeSlow: (iterations) => {
      for (let i = 0; i < iterations; i++) buffers[i % LIVE] = Buffer.allocUnsafeSlow(bytes);
    },
    alloc: (iterations) => {
      for (let i = 0; i < iterations; i++) buffers[i % LIVE] = Buffer.alloc(bytes);
    },
  };
  return Object.entries(loops).map(([name, body]) => ({ name: `${name}/${bytes}`, sample: timed(body) }));
}

/** Nanoseconds for one of a thousand blocks that one call allocates, and for one that one call frees. */
export function manyContenders(bytes) {
  const slab = new SlabAllocator({ maxBytes: 256 << 20 });
  const out = new Uint32Array(MANY);
  const sampler = (isTimed) => () => {
    let elapsed = 0;
    for (let i = 0; i < 300; i++) {
      const start = performance.now();
      slab.allocateMany(bytes, out);
      const between = performance.now();
      slab.freeMany(out);
      elapsed += isTimed === 'allocateMany' ? between - start : performance.now() - between;
    }
    return (elapsed * 1e6) / (300 * MANY);
  };
  return ['allocateMany', 'freeMany'].map((name) => ({ name: `${name}/${bytes}`, sample: sampler(name) }));
}
