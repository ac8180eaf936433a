import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkerReport } from '@millrace/worker-pool';
import { closePools, failureOf, Gate, Ledger, newPool } from './pools';
import { runProgram, seed } from './run-program';

afterEach(closePools);

const quick = { stuckAfterMs: 200, warnAfterMs: 50 };
const once = <T>(pool: ReturnType<typeof newPool>, event: 'warn' | 'stuck' | 'replaced' | 'error'): Promise<T> =>
  new Promise((resolve) => pool.once(event, resolve as (report: WorkerReport) => void));

test('a task that blocks is reported with its stack, then its worker is replaced', async () => {
  const ledger = new Ledger(3);
  const limits = { warnAfterMs: 200, stuckAfterMs: 1000 };
  const pool = newPool({ ...limits, workerData: ledger.workerData, spares: 1 });
  const [warned, stuck, replaced] = [once<WorkerReport>(pool, 'warn'), once(pool, 'stuck'), once(pool, 'replaced')];
  const task = failureOf(pool.run({ id: 0, how: 'spin' }, { name: 'fate' }));
  const after = pool.runMany([1, 2], { name: 'note' });
  const warning = await warned;
  expect(warning).toMatchObject({ workerIndex: 0 });
  expect(warning.elapsedMs).toBeGreaterThanOrEqual(200);
  expect(warning.stack).toMatch(/^ {4}at end \(.*tasks\.mjs:\d+:\d+\)\n {4}at fate /);
  expect(await stuck).toMatchObject({ workerIndex: 0, reason: 'stuck' });
  const error = await task;
  expect(error).toMatchObject({ code: 'ERR_TASK_STUCK', workerIndex: 0 });
  expect(error['workerStack']).toContain('tasks.mjs');
  expect(await replaced).toMatchObject({ workerIndex: 0, reason: 'stuck' });
  expect(await after).toEqual([1, 2]);
  expect(ledger.order).toEqual([0, 1, 2]);
  expect(pool.stats()).toMatchObject({ failed: 1, completed: 2, replaced: 1 });
});

test('hazard 20: the spare does not wait for a native call to return, close does', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-pool-'));
  const file = path.join(folder, 'over');
  const ledger = new Ledger(2);
  const pool = newPool({ ...quick, workerData: ledger.workerData, spares: 1 });
  await pool.run(0);
  const replaced = once<WorkerReport>(pool, 'replaced');
  const native = failureOf(pool.run({ id: 0, how: 'native', file }, { name: 'fate' }));
  expect(await pool.run(1, { name: 'note' })).toBe(1);
  expect(await native).toMatchObject({ code: 'ERR_TASK_STUCK' });
  expect(await replaced).toMatchObject({ reason: 'stuck' });
  expect(existsSync(file)).toBe(false);
  await pool.close();
  expect(existsSync(file)).toBe(true);
  rmSync(folder, { recursive: true });
});

test.each([
  ['process.exit', 'exit', 'exit', 'exited with code 3'],
  ['an uncaught error', 'uncaught', 'error', 'from a timer'],
  ['a full heap (hazard 21)', 'memory', 'memory', 'memory'],
])('a worker that ends by %s is replaced, and its task says so', async (_what, how, reason, text) => {
  const ledger = new Ledger(4);
  const resourceLimits = { maxOldGenerationSizeMb: 16 };
  const pool = newPool({ workerData: ledger.workerData, resourceLimits, stuckAfterMs: 20_000 });
  const replaced = once<WorkerReport>(pool, 'replaced');
  const task = failureOf(pool.run({ id: 0, how }, { name: 'fate' }));
  const after = pool.runMany([1, 2, 3], { name: 'note' });
  const error = await task;
  expect(error).toMatchObject({ code: 'ERR_TASK_WORKER_EXIT', workerIndex: 0 });
  expect((error.cause as Error).message).toContain(text);
  const report = await replaced;
  expect(report).toMatchObject({ workerIndex: 0, reason });
  expect(report.error).toBe(error.cause);
  expect(await after).toEqual([1, 2, 3]);
  expect(ledger.order).toEqual([0, 1, 2, 3]);
});

test('a task that waits without blocking is neither reported nor replaced', async () => {
  const pool = newPool({ warnAfterMs: 20, stuckAfterMs: 40 });
  const reports: WorkerReport[] = [];
  pool.on('warn', (report) => reports.push(report));
  pool.on('stuck', (report) => reports.push(report));
  expect(await pool.run(400, { name: 'later' })).toBe(400);
  expect(reports).toEqual([]);
});

test('limits of 0: a blocked worker is left alone', async () => {
  const gate = new Gate();
  const pool = newPool({ warnAfterMs: 0, stuckAfterMs: 0, workerData: gate.workerData, workers: 2 });
  const reports: WorkerReport[] = [];
  pool.on('warn', (report) => reports.push(report));
  pool.on('stuck', (report) => reports.push(report));
  const blocked = pool.run(0, { name: 'gate' });
  await pool.run(300, { name: 'later' });
  gate.open();
  expect(await blocked).toBe('through');
  expect(reports).toEqual([]);
});

test.each([
  ['throws.mjs', 'no licence'],
  ['exits.mjs', 'exited with code 7'],
  ['missing.mjs', 'Cannot find module'],
])('a module that does not load fails tasks with the cause, now and later: %s', async (file, text) => {
  const pool = newPool({ filename: path.join(__dirname, 'tasks', file), workers: 2, spares: 1 });
  const errors = await Promise.all([failureOf(pool.run(1)), failureOf(pool.runMany([2, 3]))]);
  errors.push(await failureOf(pool.run(4)));
  for (const error of errors) {
    expect(error).toMatchObject({ code: 'ERR_WORKER_MODULE' });
    expect((error.cause as Error).message).toContain(text);
    expect(error.message).toContain(file);
  }
  expect(pool.stats()).toMatchObject({ rejected: 4, queued: 0, running: 0, replaced: 0 });
});

test('a module that does not parse', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-pool-'));
  const filename = path.join(folder, 'broken.mjs');
  writeFileSync(filename, 'export default function (;');
  const error = await failureOf(newPool({ filename }).run(1));
  expect(error).toMatchObject({ code: 'ERR_WORKER_MODULE' });
  expect(error.cause).toBeInstanceOf(SyntaxError);
  rmSync(folder, { recursive: true });
});

test('the cause of a module that does not load keeps its code', async () => {
  const pool = newPool({ filename: path.join(__dirname, 'tasks', 'throws.mjs') });
  expect((await failureOf(pool.run(1))).cause).toMatchObject({ code: 'E_LICENCE', message: 'no licence' });
});

test('workers that end again and again without doing anything are given up', async () => {
  const pool = newPool({ filename: path.join(__dirname, 'tasks', 'dies-when-idle.mjs') });
  const lost = once<Error>(pool, 'error');
  expect(await lost).toMatchObject({ code: 'ERR_POOL_WORKER_LOST' });
  await expect(pool.run(1)).rejects.toMatchObject({ code: 'ERR_POOL_WORKER_LOST' });
});

test('recycleAfterTasks: a worker runs so many, and none is lost or run twice', async () => {
  const ledger = new Ledger(100);
  const pool = newPool({ recycleAfterTasks: 10, workerData: ledger.workerData, spares: 1 });
  const reports: WorkerReport[] = [];
  pool.on('replaced', (report) => reports.push(report));
  const threads = await Promise.all(
    Array.from({ length: 100 }, async (_, id) => {
      await pool.run(id, { name: 'note' });
    }),
  );
  expect(threads).toHaveLength(100);
  expect(ledger.begun.every((count) => count === 1)).toBe(true);
  expect(ledger.order).toEqual(Array.from({ length: 100 }, (_, id) => id));
  await pool.run(1);
  expect(pool.stats().replaced).toBe(10);
  expect(reports.every((report) => report.reason === undefined && report.workerIndex === 0)).toBe(true);
  const [a, b] = [await pool.run(0, { name: 'thread' }), await pool.run(0, { name: 'thread' })];
  expect(a).toBe(b);
});

test('recycleAboveBytes: a worker whose heap has grown is replaced', async () => {
  const pool = newPool({ recycleAboveBytes: 9e6 });
  const replaced = once<WorkerReport>(pool, 'replaced');
  const before = await pool.run(0, { name: 'thread' });
  while (pool.stats().replaced === 0)
    await pool.run(20, { name: 'later' }).then(() => pool.run(0, { name: 'hugeHeap' }));
  expect(await replaced).toMatchObject({ reason: 'memory', workerIndex: 0 });
  expect(await pool.run(0, { name: 'thread' })).not.toBe(before);
});

// Each task is begun exactly once, those with a fate fail with its code, all others resolve, and workers are replaced:
// the program checks that itself.
test.each([
  ['process.exit', 15, ['exit']],
  ['uncaught errors', 15, ['uncaught']],
  ['endless loops', 8, ['spin']],
  ['all there is', 18, ['exit', 'uncaught', 'spin', 'wait', 'native', 'memory']],
])('hazard 18, under load, at random moments: %s', async (_what, deaths, fates) => {
  const result = await runProgram('heal.js', seed, deaths, 2, ...fates);
  expect(result).toMatchObject({ deaths, twice: 0, missing: 0 });
});

test('with one worker what is handed back keeps its order', async () => {
  const result = await runProgram('heal.js', seed, 12, 1, 'exit', 'spin', 'uncaught');
  expect(result).toMatchObject({ deaths: 12, twice: 0, missing: 0, outOfOrder: 0 });
});
