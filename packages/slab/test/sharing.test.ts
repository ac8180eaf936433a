import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { SlabAllocator, type SharedToken } from '@millrace/slab';
import { codeOf } from './code-of';
import { collectGarbage } from './collect-garbage';
import { withRandom } from './random';

const FILE = path.join(__dirname, 'sharing-worker.js');

function start(token: SharedToken, task: string, more: object = {}): Worker {
  return new Worker(FILE, { workerData: { token, task, ...more } });
}

async function next(worker: Worker): Promise<unknown> {
  const [message] = (await once(worker, 'message')) as [unknown];
  return message;
}

test('one thread allocates and writes, the other reads and frees', async () => {
  using slab = new SlabAllocator({ maxBytes: 8 << 20 });
  const worker = start(slab.share(), 'consume');
  for (let round = 0; round < 30; round++) {
    const offsets = Uint32Array.from({ length: 500 }, (_, i) => slab.allocate((i * 31) % 8000));
    for (const offset of offsets) slab.memory[offset] = offset % 251;
    worker.postMessage(offsets);
    expect(await next(worker)).toBe(0);
    expect(codeOf(() => slab.free(offsets[round]!))).toBe('ERR_SLAB_INVALID_BLOCK');
  }
  expect(slab.stats().inUseBytes).toBe(0);
  await worker.terminate();
});

describe('HAZARDS 6', () => {
  test.each([
    ['is terminated', false],
    ['exits', true],
  ])('a thread that %s gives back what it allocated, but for what it handed on', async (_, exit) => {
    using slab = new SlabAllocator();
    const worker = start(slab.share(), 'leave', { exit });
    const ended = once(worker, 'exit');
    const handedOn = (await next(worker)) as Uint32Array;
    if (!exit) await worker.terminate();
    await ended;
    expect(slab.stats().requestedBytes).toBe(handedOn.length * 500);
    slab.adopt(handedOn[0]!);
    slab.freeMany(handedOn);
    expect(slab.stats().inUseBytes).toBe(0);
    slab.trim();
    expect(slab.stats().committedBytes).toBe(0);
  });

  test('close() gives back, too', () => {
    using slab = new SlabAllocator();
    const other = SlabAllocator.attach(slab.share());
    const kept = other.allocate(1000);
    for (let i = 0; i < 100; i++) other.allocate(300);
    other.free(other.allocate(2000));
    other.handOn(kept);
    other.close();
    expect(slab.stats().requestedBytes).toBe(1000);
    slab.free(kept);
    slab.trim();
    expect(slab.stats().committedBytes).toBe(0);
  });

  test(
    'threads that are terminated at any moment leave nothing',
    () =>
      withRandom(async (random) => {
        // Room for all the Buffers that the workers leave to their garbage collectors.
        using slab = new SlabAllocator({ maxBytes: 1 << 30 });
        const descriptors = readdirSync('/proc/self/fd').length;
        for (let round = 0; round < 12; round++) {
          const workers = [start(slab.share(), 'churn'), start(slab.share(), 'churn')];
          await Promise.all(workers.map(next));
          for (let i = random.below(2000); i >= 0; i--) slab.free(slab.allocate(i));
          await Promise.all(workers.map((worker) => worker.terminate()));
          slab.trim();
          expect(slab.stats()).toMatchObject({ inUseBytes: 0, requestedBytes: 0, committedBytes: 0 });
        }
        expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors + 1);
      }),
    60_000,
  );

  test('the process may exit while workers are in the middle of calls', () => {
    const program = `
      const { Worker } = require('node:worker_threads');
      const { SlabAllocator } = require('@millrace/slab');
      const slab = new SlabAllocator();
      slab.memory[0] = 1;
      const workerData = { token: slab.share(), task: 'churn' };
      let busy = 0;
      for (let i = 0; i < 2; i++) {
        new Worker(${JSON.stringify(FILE)}, { workerData }).once('message', () => { if (++busy === 2) process.exit(7); });
      }`;
    const run = (): void => {
      execFileSync(process.execPath, ['-e', program], { cwd: __dirname, stdio: 'pipe' });
    };
    for (let i = 0; i < 3; i++) expect(run).toThrow(expect.objectContaining({ status: 7, signal: null }));
  });
});

test('a slab lives on while one handle is open, and a shared one though its object is garbage', async () => {
  const token = (() => {
    const slab = new SlabAllocator();
    slab.memory[slab.allocate(64)] = 42;
    return slab.share();
  })();
  for (let i = 0; i < 5; i++) await collectGarbage();
  const one = SlabAllocator.attach(token);
  const two = SlabAllocator.attach(one.share());
  one.close();
  expect(two.memory.includes(42)).toBe(true);
  two.close();
});

describe('HAZARDS 7: tokens', () => {
  const slab = new SlabAllocator();
  const token = slab.share();
  afterAll(() => slab.close());

  test('a slab that is closed everywhere is gone', () => {
    const other = new SlabAllocator();
    const gone = other.share();
    other.close();
    expect(codeOf(() => SlabAllocator.attach(gone))).toBe('ERR_SHARED_GONE');
  });

  test.each<[string, object | undefined, string]>([
    ['none of ours', { kind: 'queue', id: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown id', { ...token, id: 4_000_000 }, 'ERR_SHARED_GONE'],
    ['another slab’s nonce', { ...token, nonce: 1 }, 'ERR_SHARED_GONE'],
    ['another process', { ...token, pid: 1 }, 'ERR_SHARED_GONE'],
    ['another copy', { ...token, copy: 0 }, 'ERR_LAYOUT_MISMATCH'],
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
  ])('%s is refused', (_, given, code) => {
    expect(codeOf(() => SlabAllocator.attach(given as never))).toBe(code);
  });

  test('a second copy of the package in the process says so', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-copy-'));
    try {
      const original = path.dirname(require.resolve('@millrace/slab/package.json'));
      const copy = path.join(folder, 'slab');
      for (const part of ['dist', 'build/Release/millrace_slab.node', 'package.json']) {
        cpSync(path.join(original, part), path.join(copy, part), { recursive: true });
      }
      symlinkSync(path.join(__dirname, '../../../node_modules'), path.join(folder, 'node_modules'));
      const program = `
        const one = require(${JSON.stringify(original)}).SlabAllocator;
        const other = require(${JSON.stringify(copy)}).SlabAllocator;
        const slab = new one();
        new other().allocate(1);
        try { other.attach(slab.share()); } catch (error) { console.log(error.code, error.message); }`;
      const output = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
      expect(output).toMatch(/^ERR_LAYOUT_MISMATCH .*another copy/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
