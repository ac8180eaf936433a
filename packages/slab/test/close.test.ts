import { GrowableBuffer, SlabAllocator } from '@millrace/slab';
import { codeOf } from './code-of';
import { collectGarbage } from './collect-garbage';
import { mappings } from './mappings';

test('after close() views are empty and all members throw, close() excepted', () => {
  const slab = new SlabAllocator();
  const { memory } = slab;
  const offset = slab.allocate(100);
  const buffer = slab.allocateBuffer(10);
  slab.free(slab.allocate(100));
  slab.close();
  slab.close();
  slab[Symbol.dispose]();
  expect(memory).toHaveLength(0);
  for (const use of [
    () => slab.memory,
    () => slab.allocate(100),
    () => slab.tryAllocate(100),
    () => slab.free(offset),
    () => slab.allocateMany(1, new Uint32Array(1)),
    () => slab.freeMany(new Uint32Array(1)),
    () => slab.allocateBuffer(1),
    () => slab.freeBuffer(buffer),
    () => slab.handOn(offset),
    () => slab.adopt(offset),
    () => slab.blockBytes(1),
    () => slab.trim(),
    () => slab.stats(),
    () => slab.share(),
    () => new GrowableBuffer(slab),
  ]) {
    expect(codeOf(use)).toBe('ERR_SLAB_CLOSED');
  }
});

test.each([
  ['options', () => new SlabAllocator(1 as never), 'ERR_INVALID_ARG_TYPE'],
  ['maxBytes', () => new SlabAllocator({ maxBytes: 1000 }), 'ERR_OUT_OF_RANGE'],
  ['maxBytes', () => new SlabAllocator({ maxBytes: 2 ** 32 }), 'ERR_OUT_OF_RANGE'],
  ['minBlockBytes', () => new SlabAllocator({ minBlockBytes: 2048, maxBlockBytes: 1024 }), 'ERR_OUT_OF_RANGE'],
  ['maxBlockBytes', () => new SlabAllocator({ maxBlockBytes: 65_536 }), 'ERR_OUT_OF_RANGE'],
  ['growthFactor', () => new SlabAllocator({ growthFactor: 3 }), 'ERR_OUT_OF_RANGE'],
  ['growthFactor', () => new SlabAllocator({ growthFactor: NaN }), 'ERR_OUT_OF_RANGE'],
  ['decayMs', () => new SlabAllocator({ decayMs: -1 }), 'ERR_OUT_OF_RANGE'],
  ['a length', () => new SlabAllocator().allocate('1' as never), 'ERR_INVALID_ARG_TYPE'],
  ['a length', () => new SlabAllocator().allocate(-1), 'ERR_OUT_OF_RANGE'],
  ['a length', () => new SlabAllocator().allocate(1.5), 'ERR_OUT_OF_RANGE'],
  ['a length', () => new SlabAllocator().allocate(NaN), 'ERR_OUT_OF_RANGE'],
  ['an offset', () => new SlabAllocator().free(undefined as never), 'ERR_INVALID_ARG_TYPE'],
  ['an offset', () => new SlabAllocator().free(-1), 'ERR_OUT_OF_RANGE'],
  ['a list', () => new SlabAllocator().allocateMany(1, [1] as never), 'ERR_INVALID_ARG_TYPE'],
  ['a list', () => new SlabAllocator().freeMany(new Int32Array(1) as never), 'ERR_INVALID_ARG_TYPE'],
  ['a Buffer', () => new SlabAllocator().freeBuffer(new Uint8Array(1) as never), 'ERR_INVALID_ARG_TYPE'],
  ['a slab', () => new GrowableBuffer({} as never), 'ERR_INVALID_ARG_TYPE'],
  ['directory', () => new GrowableBuffer(new SlabAllocator(), { directory: 1 as never }), 'ERR_INVALID_ARG_TYPE'],
  ['maxBytes', () => new GrowableBuffer(new SlabAllocator(), { maxBytes: 0 }), 'ERR_OUT_OF_RANGE'],
])('a wrong argument is refused: %s', (_, call, code) => {
  expect(codeOf(call)).toBe(code);
});

describe('HAZARDS 9', () => {
  const maxBytes = 2 ** 30 + 65_536;

  test('memory is unmapped after the last view of it, not before', async () => {
    const before = mappings(maxBytes);
    let buffer: Buffer | undefined;
    (() => {
      const slab = new SlabAllocator({ maxBytes });
      slab.memory[0] = 1;
      buffer = slab.allocateBuffer(100).fill(9);
      slab.close();
    })();
    for (let i = 0; i < 5; i++) await collectGarbage();
    expect(mappings(maxBytes)).toBe(before + 1);
    expect(buffer?.every((byte) => byte === 9)).toBe(true);
    buffer = undefined;
    while (mappings(maxBytes) > before) await collectGarbage();
  });

  test('a slab that nobody can reach gives its memory back', async () => {
    const before = mappings(maxBytes);
    (() => {
      for (let i = 0; i < 5; i++) new SlabAllocator({ maxBytes }).allocate(100);
    })();
    expect(mappings(maxBytes)).toBeGreaterThan(before);
    while (mappings(maxBytes) > before) await collectGarbage();
  });

  test('a view keeps its slab and its blocks', async () => {
    const { memory, token } = (() => {
      const slab = new SlabAllocator({ maxBytes });
      slab.memory.fill(5, slab.allocate(1000), 1000);
      return { memory: slab.memory, token: slab.share() };
    })();
    for (let i = 0; i < 5; i++) await collectGarbage();
    using again = SlabAllocator.attach(token);
    expect(again.stats().requestedBytes).toBe(1000);
    expect(memory[0]).toBe(again.memory[0]);
  });

  test('Buffers that are forgotten are freed', async () => {
    using slab = new SlabAllocator({ maxBytes: 1 << 20 });
    for (let i = 0; i < 100; i++) slab.allocateBuffer(1000);
    while (slab.stats().inUseBytes > 0) await collectGarbage();
  });
});
