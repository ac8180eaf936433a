import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { ObjectPool, record, type SharedToken } from '@millrace/object-pool';

const FILE = path.join(__dirname, 'sharing-worker.js');
const Record = record({ value: 'f64', id: 'u64' });
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

function start(token: SharedToken, task: string, times = 0): Worker {
  return new Worker(FILE, { workerData: { token, task, times } });
}

async function answerOf<T>(worker: Worker): Promise<T> {
  const [message] = (await once(worker, 'message')) as [T];
  return message;
}

test('a record that two threads write to has one holder at a time', async () => {
  using pool = new ObjectPool(Record, { capacity: 3 });
  const workers = [start(pool.share(), 'count', 20_000), start(pool.share(), 'count', 20_000)];
  const counts = await Promise.all(workers.map((worker) => answerOf<number>(worker)));
  await Promise.all(workers.map((worker) => worker.terminate()));
  const value = pool.column('value');
  expect(value.get(0) + value.get(1) + value.get(2)).toBe(counts[0]! + counts[1]!);
  expect(pool.size).toBe(0);
});

test.each(['exit', 'terminate'])(
  'HAZARDS 6: a worker that ends (%s) gives back what it had not handed on',
  async (how) => {
    using pool = new ObjectPool(Record, { capacity: 300 });
    const worker = start(pool.share(), 'keep', 200);
    const { kept, handedOn } = await answerOf<{ kept: number[]; handedOn: number }>(worker);
    expect(pool.size).toBe(201);
    const seen = kept[0]!;
    expect(pool.at(seen).index).toBe(seen);
    if (how === 'exit') {
      worker.postMessage('end');
      await once(worker, 'exit');
    } else {
      await worker.terminate();
    }
    expect(pool.size).toBe(2);
    expect(pool.at(handedOn).value).toBe(42);
    pool.releaseIndex(handedOn);
    pool.releaseIndex(seen);
    expect(() => pool.releaseIndex(kept[1]!)).toThrow(code('ERR_OBJECT_POOL_INVALID_RECORD'));
    const all = Array.from({ length: 300 }, () => pool.acquireIndex());
    expect(new Set(all).size).toBe(300);
  },
);

test('what a worker adopts goes with it; what it looks at does not', async () => {
  using pool = new ObjectPool(Record, { capacity: 10 });
  const [adopted, looked] = [pool.acquireIndex(), pool.acquireIndex()];
  pool.at(adopted).value = 1;
  pool.at(looked).value = 2;
  const adopts = start(pool.share(), 'adopt');
  const looks = start(pool.share(), 'look');
  pool.handOn(adopted);
  adopts.postMessage(adopted);
  looks.postMessage(looked);
  expect(await Promise.all([answerOf(adopts), answerOf(looks)])).toEqual([1, 2]);
  await Promise.all([adopts.terminate(), looks.terminate()]);
  expect(pool.size).toBe(1);
  pool.releaseIndex(looked);
  expect(pool.size).toBe(0);
});

test('close() gives back what this handle had', () => {
  using pool = new ObjectPool(Record, { capacity: 10 });
  const other = ObjectPool.attach(pool.share());
  const index = pool.acquireIndex();
  other.acquire();
  other.acquire();
  expect(pool.size).toBe(3);
  other.close();
  expect(pool.size).toBe(1);
  pool.releaseIndex(index);
});

test('a pool lives on while one thread has it', () => {
  const pool = new ObjectPool(Record, { capacity: 10 });
  const token = pool.share();
  const other = ObjectPool.attach(structuredClone(token));
  const index = pool.acquireIndex();
  pool.column('id').set(index, 5n);
  pool.close();
  expect(other.column('id').get(index)).toBe(5n);
  expect(other.capacity).toBe(10);
  other.close();
  expect(() => ObjectPool.attach(token)).toThrow(code('ERR_SHARED_GONE'));
});

describe('HAZARDS 7: tokens', () => {
  const pool = new ObjectPool(Record, { capacity: 10 });
  const token = pool.share();
  afterAll(() => pool.close());

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['none of ours', { kind: 'queue', id: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown id', { ...token, id: 4_000_000 }, 'ERR_SHARED_GONE'],
    ['another pool’s nonce', { ...token, nonce: 1 }, 'ERR_SHARED_GONE'],
    ['another process', { ...token, pid: 1 }, 'ERR_SHARED_GONE'],
    ['another copy', { ...token, copy: 0 }, 'ERR_LAYOUT_MISMATCH'],
    ['other fields', { ...token, shape: { value: 'f64', id: 'i64' } }, 'ERR_LAYOUT_MISMATCH'],
    ['another order of fields', { ...token, shape: { id: 'u64', value: 'f64' } }, 'ERR_LAYOUT_MISMATCH'],
    ['no fields', { ...token, shape: undefined }, 'ERR_INVALID_ARG_TYPE'],
  ])('%s is refused', (_, given, expected) => {
    expect(() => ObjectPool.attach(given as never)).toThrow(code(expected));
  });
});

test('HAZARDS 5: workers that are terminated in the middle of their work lose no record', async () => {
  using pool = new ObjectPool(Record, { capacity: 300 });
  const token = pool.share();
  let caught = 0;
  for (let round = 0; round < 20; round++) {
    const workers = [start(token, 'churn'), start(token, 'churn')];
    await Promise.all(workers.map((worker) => answerOf(worker)));
    for (let i = 0; i < 200 + Math.random() * 3000; i++) pool.releaseIndex(pool.acquireIndex());
    if (pool.size > 0) caught++;
    await Promise.all(workers.map((worker) => worker.terminate()));
    expect(pool.size).toBe(0);
  }
  expect(caught).toBeGreaterThan(10);
  const all = Array.from({ length: 300 }, () => pool.acquireIndex());
  expect(new Set(all).size).toBe(300);
});

test('the process may exit while workers are in the middle of calls', () => {
  const program = `
    const { Worker } = require('node:worker_threads');
    const { ObjectPool, record } = require('@millrace/object-pool');
    const pool = new ObjectPool(record({ value: 'f64' }), { capacity: 300 });
    const workerData = { token: pool.share(), task: 'churn' };
    let busy = 0;
    for (let i = 0; i < 2; i++) {
      new Worker(${JSON.stringify(FILE)}, { workerData }).once('message', () => { if (++busy === 2) process.exit(7); });
    }`;
  const run = (): void => {
    execFileSync(process.execPath, ['-e', program], { cwd: __dirname, stdio: 'pipe' });
  };
  for (let i = 0; i < 4; i++) expect(run).toThrow(expect.objectContaining({ status: 7, signal: null }));
});
