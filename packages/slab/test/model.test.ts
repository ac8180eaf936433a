import { SlabAllocator } from '@millrace/slab';
import { withRandom } from './random';

/** What is live: where it starts, how long it is, and what its bytes are. */
interface Live {
  readonly offset: number;
  readonly bytes: number;
  readonly mark: number;
}

// Through all three ways of allocating and freeing, against a plain list: no overlap, no lost byte, exact figures.
test('agrees with a plain list of ranges, whatever comes in whichever order', () => {
  withRandom((random) => {
    const maxBytes = 4 << 20;
    using slab = new SlabAllocator({ maxBytes });
    const { memory } = slab;
    const live: Live[] = [];
    let requested = 0;
    const some = (): number => random.below([64, 300, 2000, 40_000, 66_000, 300_000][random.below(6)]!);
    const add = (offset: number, bytes: number): void => {
      const end = offset + slab.blockBytes(bytes);
      expect(offset % 64).toBe(0);
      expect(end).toBeLessThanOrEqual(maxBytes);
      const overlap = live.find((one) => offset < one.offset + slab.blockBytes(one.bytes) && one.offset < end);
      expect(overlap).toBeUndefined();
      const mark = random.below(256);
      memory.fill(mark, offset, end);
      live.push({ offset, bytes, mark });
      requested += bytes;
    };
    const take = (): Live => {
      const index = random.below(live.length);
      const one = live[index]!;
      live[index] = live.at(-1)!;
      live.pop();
      requested -= one.bytes;
      const end = one.offset + slab.blockBytes(one.bytes);
      expect([memory[one.offset], memory[end - 1]]).toEqual([one.mark, one.mark]);
      return one;
    };
    for (let step = 0; step < 4000; step++) {
      const choice = random.below(10);
      if (choice < 5) {
        const bytes = some();
        const offset = slab.tryAllocate(bytes);
        if (offset >= 0) add(offset, bytes);
      } else if (choice < 6) {
        const bytes = random.below(3000);
        const out = new Uint32Array(random.below(20));
        for (const offset of out.subarray(0, slab.allocateMany(bytes, out))) add(offset, bytes);
      } else if (choice < 9) {
        for (let i = random.below(4); i >= 0 && live.length > 0; i--) slab.free(take().offset);
      } else {
        const count = Math.min(random.below(20), live.length);
        slab.freeMany(Uint32Array.from({ length: count }, () => take().offset));
      }
      if (step % 500 === 0) slab.trim();
      if (step % 100 === 0) {
        const stats = slab.stats();
        expect(stats.requestedBytes).toBe(requested);
        expect(stats.inUseBytes).toBe(live.reduce((sum, one) => sum + slab.blockBytes(one.bytes), 0));
        expect(stats.allocations - stats.frees).toBe(live.length);
        expect(stats.committedBytes).toBeLessThanOrEqual(maxBytes);
      }
    }
    while (live.length > 0) slab.free(take().offset);
    slab.trim();
    expect(slab.stats()).toMatchObject({ inUseBytes: 0, committedBytes: 0 });
  });
});
