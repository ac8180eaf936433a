import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { GrowableBuffer, SlabAllocator } from '@millrace/slab';
import { codeOf } from './code-of';
import { collectGarbage } from './collect-garbage';

const MIB = 2 ** 20;

let slab: SlabAllocator;
beforeEach(() => (slab = new SlabAllocator()));
afterEach(() => slab.close());

test('bytes and strings come out as they went in', () => {
  using buffer = new GrowableBuffer(slab);
  expect(buffer.bytes()).toHaveLength(0);
  expect(buffer.append('grüß ')).toBe(7);
  expect(buffer.append(Uint8Array.of(100, 105, 99, 104))).toBe(4);
  expect(buffer.append('ff00', 'hex')).toBe(2);
  expect(buffer.bytes()).toEqual(Buffer.concat([Buffer.from('grüß dich'), Buffer.of(255, 0)]));
  buffer.consume(7);
  expect(buffer.bytes().subarray(0, 4).toString()).toBe('dich');
  buffer.consume(1000);
  expect(buffer).toHaveLength(0);
  expect(buffer.mapped).toBe(false);
});

test('it doubles in the slab, then moves to a file and stays in place', () => {
  using buffer = new GrowableBuffer(slab, { initialBytes: 100, mapThresholdBytes: MIB });
  const chunk = Buffer.alloc(100_000, 'abcdefg');
  for (let i = 0; i < 10; i++) buffer.append(chunk);
  expect(buffer.mapped).toBe(false);
  expect(slab.stats().inUseBytes).toBeGreaterThanOrEqual(1_000_000);
  for (let i = 0; i < 40; i++) buffer.append(chunk);
  expect(buffer.mapped).toBe(true);
  expect(slab.stats().inUseBytes).toBe(0);
  expect(buffer.length).toBe(5_000_000);
  expect(buffer.capacity).toBeGreaterThanOrEqual(buffer.length);
  for (let i = 0; i < 50; i++)
    expect(
      buffer
        .bytes()
        .subarray(i * 100_000, (i + 1) * 100_000)
        .equals(chunk),
    ).toBe(true);
});

test.each([
  ['in the slab', MIB],
  ['in a file', 10],
])('it takes bytes of its own: %s', (_, mapThresholdBytes) => {
  using buffer = new GrowableBuffer(slab, { mapThresholdBytes });
  const text = Array.from({ length: 1000 }, (_, i) => `${i}`).join();
  buffer.append(text);
  // To another block; then within the block.
  expect(buffer.append(buffer.bytes())).toBe(text.length);
  expect(buffer.bytes().toString()).toBe(text + text);
  buffer.consume(2 * text.length - 2000);
  if (!buffer.mapped) {
    while (buffer.capacity >= buffer.length + 1500) {
      buffer.append('.');
      buffer.consume(1);
    }
  }
  const before = buffer.bytes().toString();
  expect(buffer.append(buffer.bytes().subarray(100, 1600))).toBe(1500);
  expect(buffer.bytes().toString()).toBe(before + before.slice(100, 1600));
});

test('a folder with a NUL in its name is refused', () => {
  expect(codeOf(() => new GrowableBuffer(slab, { directory: '/var/tmp\0x' }))).toBe('ERR_INVALID_ARG_VALUE');
});

test('a view of the file is empty after the next change', () => {
  using buffer = new GrowableBuffer(slab, { mapThresholdBytes: 10 });
  buffer.append('0123456789abcdef');
  const view = buffer.bytes();
  expect(buffer.bytes()).toBe(view);
  buffer.consume(4);
  expect(view).toHaveLength(0);
  const next = buffer.bytes();
  expect(next.toString()).toBe('456789abcdef');
  buffer.append('!');
  expect(next).toHaveLength(0);
  const last = buffer.bytes();
  buffer.close();
  expect(last).toHaveLength(0);
});

test('a file is unmapped when nobody can read it any more', async () => {
  const files = (): number => readFileSync('/proc/self/maps', 'latin1').split('/var/tmp/').length - 1;
  const before = files();
  const buffer = new GrowableBuffer(slab, { mapThresholdBytes: 0 });
  buffer.append('some bytes');
  buffer.bytes();
  expect(files()).toBeGreaterThan(before);
  buffer.close();
  while (files() > before) await collectGarbage();
  (() => new GrowableBuffer(slab, { mapThresholdBytes: 0 }).append('forgotten'))();
  while (files() > before) await collectGarbage();
});

describe('an error leaves what was written readable', () => {
  const chunk = Buffer.alloc(100_000, 'xyz');

  test('above maxBytes', () => {
    using buffer = new GrowableBuffer(slab, { maxBytes: 150_000 });
    buffer.append(chunk);
    expect(codeOf(() => buffer.append(chunk))).toBe('ERR_SLAB_BUFFER_FULL');
    expect(buffer.bytes().equals(chunk)).toBe(true);
    expect(buffer.append(chunk.subarray(0, 50_000))).toBe(50_000);
  });

  test('the slab is exhausted', () => {
    using small = new SlabAllocator({ maxBytes: 131_072 });
    using buffer = new GrowableBuffer(small);
    buffer.append(chunk.subarray(0, 60_000));
    expect(codeOf(() => buffer.append(chunk))).toBe('ERR_SLAB_EXHAUSTED');
    expect(buffer.bytes().equals(chunk.subarray(0, 60_000))).toBe(true);
  });

  test('no such folder', () => {
    using buffer = new GrowableBuffer(slab, { mapThresholdBytes: 100_000, directory: '/no/such/folder' });
    buffer.append(chunk);
    expect(() => buffer.append(chunk)).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        syscall: 'open',
        errno: -2,
        message: expect.stringContaining('/no/such'),
      }),
    );
    expect(buffer.bytes().equals(chunk)).toBe(true);
  });

  test('a folder in memory, unless it is allowed', () => {
    using buffer = new GrowableBuffer(slab, { mapThresholdBytes: 0, directory: '/dev/shm' });
    expect(codeOf(() => buffer.append(chunk))).toBe('ERR_SLAB_MEMORY_FILE_SYSTEM');
    expect(buffer).toHaveLength(0);
    using allowed = new GrowableBuffer(slab, {
      mapThresholdBytes: 0,
      directory: '/dev/shm',
      allowMemoryFileSystem: true,
    });
    expect(allowed.append(chunk)).toBe(100_000);
  });
});

test('the file has no name', () => {
  const directory = mkdtempSync(path.join('/var/tmp', 'millrace-slab-'));
  try {
    using buffer = new GrowableBuffer(slab, { mapThresholdBytes: 0, directory, allowMemoryFileSystem: true });
    buffer.append('bytes');
    expect(readdirSync(directory)).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('after close() all members throw, and figures are 0', () => {
  const buffer = new GrowableBuffer(slab);
  buffer.append('bytes');
  buffer.close();
  buffer[Symbol.dispose]();
  expect([buffer.length, buffer.capacity, buffer.mapped]).toEqual([0, 0, false]);
  for (const use of [() => buffer.append('x'), () => buffer.consume(1), () => buffer.bytes()]) {
    expect(codeOf(use)).toBe('ERR_SLAB_CLOSED');
  }
  expect(slab.stats().inUseBytes).toBe(0);
});

test('HAZARDS 24: 512 MiB are appended: resident as far as written, and no more after consume', () => {
  const chunk = Buffer.alloc(4 * MIB, 'session ');
  const maxBytes = 513 * MIB;
  const start = memoryNow();
  using buffer = new GrowableBuffer(slab, { maxBytes });
  buffer.append(chunk);
  const opened = memoryNow();
  expect(opened.virtual - start.virtual).toBeGreaterThanOrEqual(maxBytes);
  expect(opened.resident - start.resident).toBeLessThan(64 * MIB);
  while (buffer.length < 512 * MIB) {
    buffer.append(chunk);
    if (buffer.length % (128 * MIB) === 0) {
      const { resident } = memoryNow();
      expect(resident - start.resident).toBeLessThan(buffer.length + 64 * MIB);
    }
  }
  expect(buffer.bytes()).toHaveLength(512 * MIB);
  expect(
    buffer
      .bytes()
      .subarray(-4 * MIB)
      .equals(chunk),
  ).toBe(true);
  const full = memoryNow();
  buffer.consume(508 * MIB);
  const after = memoryNow();
  expect(full.resident - after.resident).toBeGreaterThan(400 * MIB);
  expect(after.resident - start.resident).toBeLessThan(64 * MIB);
  expect(buffer.bytes().equals(chunk)).toBe(true);
}, 60_000);

function memoryNow(): { virtual: number; resident: number } {
  const status = readFileSync('/proc/self/status', 'latin1');
  const bytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024;
  return { virtual: bytes('VmSize'), resident: bytes('VmRSS') };
}
