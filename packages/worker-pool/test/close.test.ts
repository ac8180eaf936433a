import { closePools, failureOf, Gate, newPool } from './pools';
import { runProgram } from './run-program';

afterEach(closePools);

const gated = { name: 'gate' };

test('drain resolves when nothing is queued or running, and the event says so', async () => {
  const pool = newPool({ workers: 2 });
  await pool.drain();
  const drained = new Promise<void>((resolve) => pool.once('drain', resolve));
  const ended: number[] = [];
  const tasks = [5, 1, 3, 2].map((ms) => pool.run(ms, { name: 'later' }).then(() => ended.push(ms)));
  await pool.drain();
  expect(pool.stats()).toMatchObject({ queued: 0, running: 0, completed: 4 });
  await drained;
  await Promise.all(tasks);
  expect(ended).toHaveLength(4);
});

test('close runs what is queued, takes nothing more, and says so', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  let closed = 0;
  pool.on('close', () => closed++);
  const tasks = [pool.run(0, gated), pool.run(1), pool.run(2)];
  await gate.begun();
  const closing = pool.close();
  await expect(pool.run(3)).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
  await expect(pool.runMany([3])).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
  gate.open();
  expect(await Promise.all(tasks)).toEqual(['through', 1, 2]);
  await closing;
  await pool.close();
  await pool.drain();
  await expect(pool.run(4)).rejects.toMatchObject({ code: 'ERR_POOL_CLOSED' });
  await new Promise(setImmediate);
  expect(closed).toBe(1);
  expect(pool.ref().unref().stats()).toMatchObject({ completed: 3, rejected: 3 });
});

test('close with timeoutMs gives up what has not ended by then', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const tasks = [failureOf(pool.run(0, gated)), failureOf(pool.run(1))];
  await gate.begun();
  await pool.close({ timeoutMs: 20 });
  expect((await Promise.all(tasks)).map(({ code }) => code)).toEqual(['ERR_POOL_CLOSED', 'ERR_POOL_CLOSED']);
  expect(pool.stats()).toMatchObject({ failed: 1, rejected: 1, queued: 0, running: 0 });
});

test('a close that waits can be hurried', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const task = failureOf(pool.run(0, gated));
  await gate.begun();
  const closing = pool.close();
  void pool.close({ timeoutMs: 0 });
  await closing;
  expect(await task).toMatchObject({ code: 'ERR_POOL_CLOSED' });
});

test('close in time is not cut short by its limit', async () => {
  const pool = newPool();
  const task = pool.run(30, { name: 'later' });
  await pool.close({ timeoutMs: 60_000 });
  expect(await task).toBe(30);
});

test('a pool that is closed before its workers are ready', async () => {
  const pool = newPool({ workers: 2 });
  await pool.close();
  const other = newPool({ workers: 2 });
  const task = other.run(1);
  await other.close();
  expect(await task).toBe(1);
});

test('await using closes', async () => {
  const tasks: Promise<number>[] = [];
  {
    await using pool = newPool();
    tasks.push(pool.run(10, { name: 'later' }));
  }
  expect(await tasks[0]).toBe(10);
});

test('wrong limits of close', () => {
  const pool = newPool();
  expect(() => pool.close({ timeoutMs: -1 })).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  expect(() => pool.close(null as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});

test.each([
  ['an idle pool ends', 'idle', ''],
  ['a pool that has never run anything ends', 'fresh', ''],
  ['a pending task is waited for', 'pending', 'done'],
  ['… unless the pool is not to be waited for', 'unref', ''],
  ['an idle pool that is to be waited for stays', 'ref', 'stayed'],
  ['close is waited for, pool unreferenced or not', 'close', 'closed'],
  ['a blocked worker does not keep the process', 'blocked', ''],
])('a process ends by itself: %s', async (_what, how, said) => {
  expect(await runProgram('end-by-itself.js', how)).toEqual({ said });
});

test('hazards 1, 3, 27: processes and threads that end under full load', async () => {
  const result = await runProgram('end-under-load.js', 8);
  expect(result).toMatchObject({ exits: 8, terminated: 8 });
  expect(result['caught']).toBeGreaterThanOrEqual(2);
}, 120_000);

test('pools made and closed leave nothing behind', async () => {
  const result = await runProgram('soak.js', 20);
  expect(result).toMatchObject({ pools: 20, descriptors: 0, threads: 0 });
}, 120_000);
