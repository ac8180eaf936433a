import { GrowableBuffer, SlabAllocator } from '@millrace/slab';
import { codeOf } from './code-of';

const PAGE = 64 * 1024;

test('a block holds what is written to it until it is freed', () => {
  using slab = new SlabAllocator({ maxBytes: 1 << 20 });
  const offsets = [0, 1, 64, 65, 1000, 1024, 20_000, 65_536, 65_537, 200_000].map((byteLength, i) => {
    const offset = slab.allocate(byteLength);
    expect(offset % 64).toBe(0);
    expect(slab.blockBytes(byteLength)).toBeGreaterThanOrEqual(byteLength);
    slab.memory.fill(i + 1, offset, offset + slab.blockBytes(byteLength));
    return [offset, slab.blockBytes(byteLength), i + 1] as const;
  });
  for (const [offset, bytes, mark] of offsets) {
    expect(slab.memory.subarray(offset, offset + bytes).every((byte) => byte === mark)).toBe(true);
    slab.free(offset);
  }
  expect(slab.stats().inUseBytes).toBe(0);
});

test('blocks are the smallest size that fits, and waste a fifth at most', () => {
  using slab = new SlabAllocator();
  expect([1, 64, 65, 256, 257, 1024, 1025, 32_768, 32_769, 65_537].map((n) => slab.blockBytes(n))).toEqual([
    64, 64, 128, 256, 320, 1024, 1280, 32_768, 65_536, 131_072,
  ]);
  for (let bytes = 257; bytes <= 32_768; bytes += 13) {
    expect(slab.blockBytes(bytes) - bytes).toBeLessThanOrEqual(slab.blockBytes(bytes) / 5);
  }
});

test('options decide on the sizes', () => {
  using slab = new SlabAllocator({ minBlockBytes: 200, maxBlockBytes: 2048, growthFactor: 2, maxBytes: PAGE });
  expect([1, 257, 513, 2048, 2049].map((n) => slab.blockBytes(n))).toEqual([256, 512, 1024, 2048, PAGE]);
  expect(slab.stats().maxBytes).toBe(PAGE);
});

test('all of the arena is handed out and no more: allocate throws, tryAllocate answers −1', () => {
  using slab = new SlabAllocator({ maxBytes: 1 << 20 });
  const offsets = Array.from({ length: 1024 }, () => slab.allocate(1024));
  expect(new Set(offsets).size).toBe(1024);
  expect(slab.tryAllocate(1024)).toBe(-1);
  expect(slab.tryAllocate(1)).toBe(-1);
  expect(codeOf(() => slab.allocate(1024))).toBe('ERR_SLAB_EXHAUSTED');
  expect(slab.stats().exhausted).toBe(3);
  for (const offset of offsets) slab.free(offset);
  // No size starves another.
  for (const bytes of [64, 5000, 1 << 20]) {
    const offset = slab.allocate(bytes);
    slab.free(offset);
  }
  expect(codeOf(() => slab.allocate((1 << 20) + 1))).toBe('ERR_SLAB_EXHAUSTED');
  expect(slab.tryAllocate(2 ** 40)).toBe(-1);
});

test('what is free in this handle’s cache is there for other sizes', () => {
  using slab = new SlabAllocator({ maxBytes: 64 * PAGE });
  for (const bytes of [64, 200, 1000, 3000]) {
    const offsets = Array.from({ length: 20 }, () => slab.allocate(bytes));
    for (const offset of offsets) slab.free(offset);
  }
  const all = slab.allocate(64 * PAGE);
  expect(all).toBe(0);
  slab.free(all);
});

test('what is free in this handle’s cache is there for other calls too, and a success is not counted as exhausted', () => {
  using slab = new SlabAllocator({ maxBytes: PAGE });
  const cacheOne = (): void => slab.free(slab.allocate(64));
  cacheOne();
  slab.free(slab.allocate(PAGE));
  cacheOne();
  const out = new Uint32Array(1);
  expect(slab.allocateMany(PAGE, out)).toBe(1);
  slab.freeMany(out);
  cacheOne();
  slab.freeBuffer(slab.allocateBuffer(PAGE));
  cacheOne();
  using buffer = new GrowableBuffer(slab);
  expect(buffer.append(new Uint8Array(40_000))).toBe(40_000);
  expect(slab.stats().exhausted).toBe(0);
  expect(slab.tryAllocate(1)).toBe(-1);
  expect(slab.allocateMany(1, out)).toBe(0);
  expect(slab.tryAllocate(PAGE + 1)).toBe(-1);
  expect(slab.stats().exhausted).toBe(3);
});

test('a length or an offset that is no number has a code', () => {
  using slab = new SlabAllocator();
  for (const wrong of ['1', 1n, Symbol('1'), undefined] as never[]) {
    expect(codeOf(() => slab.tryAllocate(wrong))).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => slab.free(wrong))).toBe('ERR_INVALID_ARG_TYPE');
  }
});

test.each([
  ['never allocated', (slab: SlabAllocator) => slab.free(512 * 64)],
  ['inside of a block', (slab: SlabAllocator) => slab.free(slab.allocate(1000) + 64)],
  ['no multiple of 64', (slab: SlabAllocator) => slab.free(slab.allocate(1000) + 1)],
  ['behind the arena', (slab: SlabAllocator) => slab.free(2 ** 32 - 64)],
  ['freed before', (slab: SlabAllocator) => [slab.allocate(100)].forEach((o) => [slab.free(o), slab.free(o)])],
  [
    'freed before, a page',
    (slab: SlabAllocator) => [slab.allocate(60_000)].forEach((o) => [slab.free(o), slab.free(o)]),
  ],
  [
    'freed before, a run',
    (slab: SlabAllocator) => [slab.allocate(90_000)].forEach((o) => [slab.free(o), slab.free(o)]),
  ],
])('an offset that is no live block is refused: %s', (_, free) => {
  using slab = new SlabAllocator();
  slab.free(slab.allocate(100));
  expect(codeOf(() => free(slab))).toBe('ERR_SLAB_INVALID_BLOCK');
});

test('many at a time', () => {
  using slab = new SlabAllocator({ maxBytes: 1 << 20 });
  const out = new Uint32Array(1500);
  expect(slab.allocateMany(1000, out)).toBe(1024);
  expect(new Set(out.subarray(0, 1024)).size).toBe(1024);
  slab.freeMany(out.subarray(0, 1000));
  expect(slab.stats().inUseBytes).toBe(24 * 1024);
  slab.freeMany(out.subarray(1000, 1024));
  expect(slab.stats().inUseBytes).toBe(0);
  expect(slab.allocateMany(64, new Uint32Array(0))).toBe(0);
});

test('a wrong offset among many is named, and the others are freed', () => {
  using slab = new SlabAllocator();
  const offsets = new Uint32Array(10);
  slab.allocateMany(100, offsets);
  const right = offsets[3]!;
  offsets[3] = right + 1;
  expect(() => slab.freeMany(offsets)).toThrow(
    expect.objectContaining({ code: 'ERR_SLAB_INVALID_BLOCK', message: expect.stringContaining('index 3') }),
  );
  slab.free(right);
  expect(slab.stats().inUseBytes).toBe(0);
});

test('figures add up', () => {
  using slab = new SlabAllocator();
  const offsets = Array.from({ length: 100 }, (_, i) => slab.allocate(i * 10));
  for (const offset of offsets.slice(0, 60)) slab.free(offset);
  const again = Array.from({ length: 10 }, () => slab.allocate(70));
  const stats = slab.stats();
  expect(stats.allocations).toBe(110);
  expect(stats.frees).toBe(60);
  expect(stats.requestedBytes).toBe(Array.from({ length: 40 }, (_, i) => (60 + i) * 10).reduce((a, b) => a + b) + 700);
  expect(stats.classes.reduce((sum, row) => sum + row.inUse * row.blockBytes, 0)).toBe(stats.inUseBytes);
  expect(stats.inUseBytes).toBeGreaterThanOrEqual(stats.requestedBytes);
  expect(stats.committedBytes).toBeGreaterThanOrEqual(stats.inUseBytes);
  for (const offset of [...offsets.slice(60), ...again]) slab.free(offset);
  expect(slab.stats()).toMatchObject({ allocations: 110, frees: 110, inUseBytes: 0, requestedBytes: 0 });
});

test('figures do not go back when a handle is closed', () => {
  using slab = new SlabAllocator();
  const other = SlabAllocator.attach(slab.share());
  for (let i = 0; i < 1000; i++) other.free(other.allocate(100));
  expect(slab.stats()).toMatchObject({ allocations: 1000, frees: 1000 });
  other.close();
  expect(slab.stats()).toMatchObject({ allocations: 1000, frees: 1000, inUseBytes: 0 });
});

test('trim gives free memory back', () => {
  using slab = new SlabAllocator();
  const offset = slab.allocate(8 << 20);
  const small = Array.from({ length: 1000 }, () => slab.allocate(100));
  slab.free(offset);
  for (const one of small) slab.free(one);
  expect(slab.trim()).toBeGreaterThanOrEqual(8 << 20);
  expect(slab.stats().committedBytes).toBe(0);
});

test('memory that nobody needs decays', async () => {
  using slab = new SlabAllocator({ decayMs: 5 });
  slab.free(slab.allocate(8 << 20));
  while (slab.stats().committedBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

describe('a Buffer of its own', () => {
  /** With a Buffer over the block with which it begins. */
  function arenaOfAnotherHandle(slab: SlabAllocator): Buffer {
    const blocks = new Uint32Array(slab.stats().maxBytes / PAGE);
    slab.allocateMany(PAGE, blocks);
    slab.free(0);
    slab.allocateBuffer(PAGE);
    return Buffer.from(SlabAllocator.attach(slab.share()).memory.buffer);
  }

  test('holds its bytes, and is empty when it is freed', () => {
    using slab = new SlabAllocator();
    const buffer = slab.allocateBuffer(1000);
    expect(buffer).toHaveLength(1000);
    buffer.write('hello');
    const text = slab.memory.indexOf(104);
    expect(Buffer.from(slab.memory.buffer, text, 5).toString()).toBe('hello');
    expect(slab.stats().requestedBytes).toBe(1000);
    slab.freeBuffer(buffer);
    expect(buffer).toHaveLength(0);
    expect(slab.stats().inUseBytes).toBe(0);
    const empty = slab.allocateBuffer(0);
    expect(empty).toHaveLength(0);
    slab.freeBuffer(empty);
  });

  test.each([
    ['another’s', () => Buffer.alloc(10)],
    ['the arena', (slab: SlabAllocator) => Buffer.from(slab.memory.buffer)],
    ['the arena, of another handle', arenaOfAnotherHandle],
    ['a part of the arena', (slab: SlabAllocator) => Buffer.from(slab.memory.buffer, slab.allocate(10), 10)],
    ['one of another slab', () => new SlabAllocator().allocateBuffer(10)],
    ['over a SharedArrayBuffer', () => Buffer.from(new SharedArrayBuffer(8))],
  ])('no other is freed: %s', (_, make) => {
    using slab = new SlabAllocator();
    expect(codeOf(() => slab.freeBuffer(make(slab)))).toBe('ERR_SLAB_INVALID_BLOCK');
  });

  test('is freed once', () => {
    using slab = new SlabAllocator();
    const buffer = slab.allocateBuffer(10);
    slab.freeBuffer(buffer);
    expect(codeOf(() => slab.freeBuffer(buffer))).toBe('ERR_SLAB_INVALID_BLOCK');
  });

  test('outlives its slab', () => {
    const slab = new SlabAllocator();
    const buffer = slab.allocateBuffer(100_000).fill(7);
    slab.close();
    expect(buffer.every((byte) => byte === 7)).toBe(true);
  });
});
