// A child of the benchmark: how much resident memory 200,000 live blocks of 64 bytes take. Argument: slab or buffer.
import { SlabAllocator } from '@millrace/slab';

const COUNT = 200_000;
const BYTES = 64;

const kinds = {
  slab() {
    const slab = new SlabAllocator({ maxBytes: 64 << 20 });
    const offsets = new Uint32Array(COUNT);
    slab.allocateMany(BYTES, offsets);
    const { memory } = slab;
    for (const offset of offsets) memory.fill(1, offset, offset + BYTES);
    return [slab, offsets];
  },
  buffer() {
    const buffers = new Array(COUNT);
    for (let i = 0; i < COUNT; i++) buffers[i] = Buffer.alloc(BYTES).fill(1);
    return buffers;
  },
};

globalThis.gc();
const before = process.memoryUsage.rss();
const live = kinds[process.argv[2]]();
globalThis.gc();
const after = process.memoryUsage.rss();
console.log(JSON.stringify(after - before));
if (live.length === 0) throw new Error('nothing lives');
