import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ConcurrentMap, type SharedToken } from '@millrace/concurrent-map';
import { collectGarbage } from './collect-garbage';

const FILE = path.join(__dirname, 'sharing-worker.js');
type Counts = ConcurrentMap<'string', 'i64'>;

function start(token: SharedToken, task: string, times = 0): Worker {
  return new Worker(FILE, { workerData: { token, task, times } });
}

async function runTo(worker: Worker): Promise<unknown> {
  const [message] = (await once(worker, 'message')) as [unknown];
  return message;
}

test('two workers and this thread add to the same numbers, and none is lost', async () => {
  using map: Counts = new ConcurrentMap({ key: 'string', value: 'i64' });
  const workers = [start(map.share(), 'add', 20_000), start(map.share(), 'add', 20_000)];
  const done = workers.map(runTo);
  for (let i = 0; i < 20_000; i++) map.add(`key ${i % 10}`, 1);
  await Promise.all(done);
  await Promise.all(workers.map((worker) => worker.terminate()));
  for (let i = 0; i < 10; i++) expect(map.get(`key ${i}`)).toBe(6000n);
});

test('updates of several threads do not overwrite each other', async () => {
  using map = new ConcurrentMap<'string', 'json'>({ key: 'string', value: 'json' });
  const workers = Array.from({ length: 3 }, () => start(map.share(), 'update', 500));
  await Promise.all(workers.map(runTo));
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect(map.get('count')).toBe(1500);
  expect(map.get('list')).toHaveLength(51);
});

test('a map lives on while one thread holds it', async () => {
  const map = new ConcurrentMap({ key: 'string', value: 'string' });
  map.set('k', 'held');
  const token = map.share();
  const worker = start(token, 'hold');
  expect(await runTo(worker)).toBe('held');
  map.close();
  const again = ConcurrentMap.attach(token);
  expect(again.get('k')).toBe('held');
  again.close();
  worker.postMessage('close');
  expect(await runTo(worker)).toBe('closed');
  await worker.terminate();
  expect(() => ConcurrentMap.attach(token)).toThrow(expect.objectContaining({ code: 'ERR_SHARED_GONE' }));
});

test('the end of a thread closes its handles', async () => {
  const map = new ConcurrentMap({ key: 'string', value: 'string' });
  const token = map.set('k', 'v').share();
  const worker = start(token, 'hold');
  await runTo(worker);
  map.close();
  await worker.terminate();
  expect(() => ConcurrentMap.attach(token)).toThrow(expect.objectContaining({ code: 'ERR_SHARED_GONE' }));
});

test('a shared map outlives the object it was shared from', async () => {
  const token = (() => new ConcurrentMap({ key: 'string', value: 'f64' }).set('k', 1).share())();
  for (let i = 0; i < 5; i++) await collectGarbage();
  using map = ConcurrentMap.attach(token);
  expect(map.get('k')).toBe(1);
});

test('attach answers a map of the kinds it was made with', () => {
  using map = new ConcurrentMap({ key: 'fd-sequence', value: 'i64' });
  using other = ConcurrentMap.attach(map.share());
  other.add({ fd: 1, sequence: 2 }, 3n);
  expect([...map]).toEqual([[{ fd: 1, sequence: 2 }, 3n]]);
});

describe('HAZARDS 7: tokens', () => {
  const map = new ConcurrentMap({ key: 'string', value: 'f64' });
  const token = map.share();
  afterAll(() => map.close());

  test.each<[string, object, string]>([
    ['none of ours', { kind: 'queue', id: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown id', { ...token, id: 4_000_000 }, 'ERR_SHARED_GONE'],
    ['another map’s nonce', { ...token, nonce: 1 }, 'ERR_SHARED_GONE'],
    ['another process', { ...token, pid: 1 }, 'ERR_SHARED_GONE'],
    ['another copy', { ...token, copy: 0 }, 'ERR_LAYOUT_MISMATCH'],
  ])('%s is refused', (_, given, code) => {
    expect(() => ConcurrentMap.attach(given as never)).toThrow(expect.objectContaining({ code }));
  });

  test('nothing is no token', () => {
    expect(() => ConcurrentMap.attach(undefined as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test('a second copy of the package in the process says so', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'millrace-copy-'));
    try {
      const original = path.dirname(require.resolve('@millrace/concurrent-map/package.json'));
      const copy = path.join(folder, 'concurrent-map');
      for (const part of ['dist', 'build/Release/millrace_concurrent_map.node', 'package.json']) {
        cpSync(path.join(original, part), path.join(copy, part), { recursive: true });
      }
      symlinkSync(path.join(__dirname, '../../../node_modules'), path.join(folder, 'node_modules'));
      const program = `
        const one = require(${JSON.stringify(original)}).ConcurrentMap;
        const other = require(${JSON.stringify(copy)}).ConcurrentMap;
        const map = new one({ key: 'string', value: 'f64' });
        new other({ key: 'string', value: 'f64' }).set('works', 1);
        try { other.attach(map.share()); } catch (error) { console.log(error.code, error.message); }`;
      const output = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' });
      expect(output).toMatch(/^ERR_LAYOUT_MISMATCH .*another copy/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test('HAZARDS 5: a worker that is terminated in the middle of its work leaves the map to the others', async () => {
  using map = new ConcurrentMap({ key: 'string', value: 'bytes', maxBytes: 1 << 18, evict: 'lru' });
  const token = map.share();
  for (let round = 0; round < 25; round++) {
    const workers = [start(token, 'churn'), start(token, 'churn')];
    await Promise.all(workers.map(runTo));
    for (let i = 0; i < 200 + Math.random() * 200; i++) map.set(`key ${i % 50}`, Buffer.alloc(i));
    await Promise.all(workers.map((worker) => worker.terminate()));
    // Every part of the map still answers.
    for (let i = 0; i < 50; i++) map.set(`key ${i}`, Buffer.from('after'));
    for (const [, value] of map) expect(value.length).toBeLessThan(5000);
  }
  map.clear();
  expect(map.size).toBe(0);
}, 60_000);

test('the process may exit while workers are in the middle of calls', () => {
  const program = `
    const { Worker } = require('node:worker_threads');
    const { ConcurrentMap } = require('@millrace/concurrent-map');
    const map = new ConcurrentMap({ key: 'string', value: 'bytes' });
    const workerData = { token: map.share(), task: 'churn' };
    let busy = 0;
    for (let i = 0; i < 2; i++) {
      new Worker(${JSON.stringify(FILE)}, { workerData }).once('message', () => { if (++busy === 2) process.exit(7); });
    }`;
  const run = (): void => {
    execFileSync(process.execPath, ['-e', program], { cwd: __dirname, stdio: 'pipe' });
  };
  for (let i = 0; i < 5; i++) expect(run).toThrow(expect.objectContaining({ status: 7, signal: null }));
});
