import { setImmediate as turn } from 'node:timers/promises';
import { closePools, failureOf, Gate, newPool } from './pools';

afterEach(closePools);

const gated = { name: 'gate' };

test('reject: beyond what runs and what may wait, a task is refused', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData, queue: { capacity: 2 } });
  const tasks = [pool.run(0, gated), pool.run(1), pool.run(2)];
  await expect(pool.run(3)).rejects.toMatchObject({ code: 'ERR_POOL_QUEUE_FULL' });
  await gate.begun();
  expect(pool.stats()).toMatchObject({ queued: 2, running: 1, rejected: 1 });
  await expect(pool.run(4)).rejects.toMatchObject({ code: 'ERR_POOL_QUEUE_FULL' });
  gate.open();
  expect(await Promise.all(tasks)).toEqual(['through', 1, 2]);
  expect(await pool.run(5)).toBe(5);
  expect(pool.stats()).toMatchObject({ queued: 0, running: 0, completed: 4, failed: 0, rejected: 2 });
});

test('reject: runMany is taken as a whole or not at all', async () => {
  const pool = newPool({ queue: { capacity: 10 } });
  await expect(pool.runMany(new Array<number>(12).fill(1))).rejects.toMatchObject({ code: 'ERR_POOL_QUEUE_FULL' });
  expect(await pool.runMany(new Array<number>(11).fill(1))).toHaveLength(11);
  expect(pool.stats()).toMatchObject({ completed: 11, rejected: 12 });
});

test('drop-oldest: the oldest of the lowest priority that has not begun makes room', async () => {
  const gate = new Gate();
  const queue = { capacity: 3, overflow: 'drop-oldest' } as const;
  const pool = newPool({ workerData: gate.workerData, queue });
  // Short tasks: some of what follows is with the worker already, behind the one that waits.
  await pool.runMany([1, 2, 3]);
  const first = pool.run(0, gated);
  await gate.begun();
  const urgent = pool.run('urgent', { priority: 1 });
  const dropped = [pool.run('a'), pool.run('b')].map(failureOf);
  const kept = [pool.run('c'), pool.run('d')];
  expect((await Promise.all(dropped)).map(({ code }) => code)).toEqual(['ERR_TASK_DROPPED', 'ERR_TASK_DROPPED']);
  gate.open();
  expect(await Promise.all([first, urgent, ...kept])).toEqual(['through', 'urgent', 'c', 'd']);
  expect(pool.stats()).toMatchObject({ completed: 7, rejected: 2 });
});

test('drop-oldest without a queue refuses: what runs is not dropped', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData, queue: { capacity: 0, overflow: 'drop-oldest' } });
  const first = pool.run(0, gated);
  await gate.begun();
  await expect(pool.run(1)).rejects.toMatchObject({ code: 'ERR_POOL_QUEUE_FULL' });
  gate.open();
  expect(await first).toBe('through');
});

test('priorities: the highest first, and in the order they came among equals, whatever the worker holds', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  await pool.runMany([1, 2, 3, 4]);
  const order: string[] = [];
  const first = pool.run(0, gated);
  await gate.begun();
  const add = (text: string, priority: number) => pool.run(text, { priority }).then(() => order.push(text));
  const tasks = [add('low', -5), add('a', 0), add('b', 0)];
  await turn(); // Tasks are handed over in a microtask: they are with the worker by now.
  tasks.push(add('high', 9), add('c', 0), add('higher', 10));
  gate.open();
  await Promise.all([first, ...tasks]);
  expect(order).toEqual(['higher', 'high', 'a', 'b', 'c', 'low']);
});

test('a worker with nothing to do takes over what waits behind a long task', async () => {
  const gate = new Gate();
  const pool = newPool({ workers: 2, workerData: gate.workerData });
  await pool.runMany(new Array<number>(100).fill(1));
  const blocked = pool.run(0, gated);
  const others = pool.runMany(Array.from({ length: 50 }, (_, i) => i));
  expect(await others).toHaveLength(50);
  gate.open();
  expect(await blocked).toBe('through');
});

test('abort: a task that waits is removed, with the worker or not', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  await pool.runMany([1, 2, 3, 4]);
  const first = pool.run(0, gated);
  await gate.begun();
  const controller = new AbortController();
  const tasks = Array.from({ length: 600 }, (_, i) => failureOf(pool.run(i, { signal: controller.signal })));
  const stays = pool.run('stays');
  await turn();
  const reason = new Error('changed my mind');
  controller.abort(reason);
  const failures = await Promise.all(tasks);
  expect(failures.every((error) => error.name === 'AbortError' && error.code === 'ABORT_ERR')).toBe(true);
  expect(failures[0]!.cause).toBe(reason);
  expect(pool.stats()).toMatchObject({ queued: 1, running: 1, rejected: 600 });
  gate.open();
  expect(await Promise.all([first, stays])).toEqual(['through', 'stays']);
  expect(pool.stats().completed).toBe(6);
});

test('abort: a signal that has aborted takes no task', async () => {
  const pool = newPool();
  await expect(pool.run(1, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORT_ERR' });
  expect(pool.stats()).toMatchObject({ rejected: 1, completed: 0 });
});

test('abort: a signal that aborts after the task does nothing, and is not kept', async () => {
  const pool = newPool();
  const { signal, abort } = (() => {
    const controller = new AbortController();
    return { signal: controller.signal, abort: () => controller.abort() };
  })();
  for (let i = 0; i < 100; i++) await pool.run(i, { signal });
  abort();
  expect(pool.stats()).toMatchObject({ completed: 100, failed: 0, rejected: 0 });
});

test('abort: a busy loop sees the flag, and its promise has rejected by then', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const controller = new AbortController();
  const task = failureOf(pool.run(0, { name: 'untilAborted', signal: controller.signal }));
  await gate.begun();
  controller.abort();
  expect(await task).toMatchObject({ code: 'ABORT_ERR' });
  await gate.ended();
  expect(await pool.run(1)).toBe(1);
  expect(pool.stats()).toMatchObject({ replaced: 0, failed: 1, completed: 1 });
});

test('abort: an async task gets the signal', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const controller = new AbortController();
  const task = failureOf(pool.run(0, { name: 'untilSignal', signal: controller.signal }));
  await gate.begun();
  controller.abort();
  expect(await task).toMatchObject({ code: 'ABORT_ERR' });
  expect(await gate.ended()).toBe(1);
});

test('abort: who goes on after stuckAfterMs is replaced, blocking or not', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData, stuckAfterMs: 100, warnAfterMs: 0 });
  const controller = new AbortController();
  const task = failureOf(pool.run(0, { name: 'stubborn', signal: controller.signal }));
  await gate.begun();
  const replaced = new Promise((resolve) => pool.once('replaced', resolve));
  const next = pool.run(1);
  controller.abort();
  expect(await task).toMatchObject({ code: 'ABORT_ERR' });
  expect(await replaced).toMatchObject({ reason: 'stuck', workerIndex: 0 });
  expect(await next).toBe(1);
  expect(pool.stats()).toMatchObject({ failed: 1, completed: 1, replaced: 1 });
});

test('timeoutMs: the time in the queue counts', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const first = pool.run(0, gated);
  await gate.begun();
  const error = await failureOf(pool.run(1, { timeoutMs: 10 }));
  expect(error).toMatchObject({ code: 'ERR_TASK_TIMEOUT' });
  expect(error.message).toContain('10 ms');
  expect(pool.stats()).toMatchObject({ rejected: 1, running: 1, queued: 0 });
  gate.open();
  await first;
  expect(await pool.run(2, { timeoutMs: 0 })).toBe(2);
});

test('timeoutMs: a running task is told, by flag and by signal', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  await pool.run(0);
  await expect(pool.run(0, { name: 'untilSignal', timeoutMs: 50 })).rejects.toMatchObject({ code: 'ERR_TASK_TIMEOUT' });
  expect(await gate.ended()).toBe(2);
  await expect(pool.run(0, { name: 'untilAborted', timeoutMs: 20 })).rejects.toMatchObject({
    code: 'ERR_TASK_TIMEOUT',
  });
  expect(await pool.run(1)).toBe(1);
});

test('stats: times of waiting and running', async () => {
  const pool = newPool();
  await Promise.all([pool.run(30, { name: 'later' }), pool.run(30, { name: 'later' })]);
  const { waitMs, runMs, completed } = pool.stats();
  expect(completed).toBe(2);
  expect(runMs.p50).toBeGreaterThanOrEqual(29);
  expect(runMs.max).toBeGreaterThanOrEqual(runMs.p50);
  expect(waitMs.max).toBeGreaterThanOrEqual(29);
});
