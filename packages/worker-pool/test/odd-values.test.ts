import { createHook } from 'node:async_hooks';
import { closePools, failureOf, Gate, newPool } from './pools';

afterEach(closePools);

test.each(['then', 'proxy', 'bytes', 'stack'])(
  'a result or error whose %s throws fails its task only',
  async (what) => {
    const pool = newPool();
    // The second comes by the worker's event loop, the first with its start.
    for (let i = 0; i < 2; i++) expect((await failureOf(pool.run(what, { name: 'odd' }))).message).toBe(what);
    expect(await pool.run(1, { name: 'add' })).toBe(2);
    expect(pool.stats()).toMatchObject({ failed: 2, replaced: 0 });
  },
);

test.each([
  ['callable', 'called'],
  ['chain', 'end'],
  ['twice', 'first'],
])('thenables are awaited as await does: %s', async (what, result) => {
  expect(await newPool().run(what, { name: 'odd' })).toBe(result);
});

test('a result that this thread’s stack is too small to read fails its task only', async () => {
  const pool = newPool({ resourceLimits: { stackSizeMb: 64 } });
  const failure = await failureOf(pool.run(100_000, { name: 'deep' }));
  expect(failure.message).toContain('stack');
  expect(await pool.run(1, { name: 'add' })).toBe(2);
  expect(pool.stats()).toMatchObject({ completed: 1, failed: 1, running: 0 });
});

test('runMany takes holes for undefined', async () => {
  expect(await newPool().runMany(new Array(3))).toEqual([undefined, undefined, undefined]);
});

test('runMany refuses a transferList for several tasks before anything has moved', async () => {
  const pool = newPool();
  const buffers = [new ArrayBuffer(8), new ArrayBuffer(8)];
  const options = { name: 'size', transferList: buffers };
  await expect(pool.runMany(buffers, options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(buffers.map((buffer) => buffer.byteLength)).toEqual([8, 8]);
  expect(await pool.runMany(buffers.slice(0, 1), { name: 'size', transferList: buffers.slice(0, 1) })).toEqual([8]);
});

test('a task that aborts itself while it is cloned is not run, and the others are', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const controller = new AbortController();
  const aborting = {
    get symbol() {
      controller.abort();
      return 'BTC';
    },
  };
  const aborted = failureOf(pool.run(aborting, { signal: controller.signal }));
  const others = pool.runMany([1, 2, 3], { name: 'add' });
  expect((await aborted).code).toBe('ABORT_ERR');
  expect(await others).toEqual([2, 3, 4]);
  expect(pool.stats()).toMatchObject({ completed: 3, rejected: 1, queued: 0, running: 0 });
});

test('a task given up before a forced close is not counted as running after it', async () => {
  const gate = new Gate();
  const pool = newPool({ workerData: gate.workerData });
  const controller = new AbortController();
  const task = failureOf(pool.run(0, { name: 'gate', signal: controller.signal }));
  await gate.begun();
  controller.abort();
  expect((await task).code).toBe('ABORT_ERR');
  const closed = pool.close({ timeoutMs: 0 });
  expect(pool.stats()).toMatchObject({ queued: 0, running: 0, failed: 1 });
  await closed;
});

test('a limit below what an empty worker takes lets it run tasks all the same', async () => {
  const pool = newPool({ recycleAboveBytes: 1, spares: 1 });
  for (let i = 0; i < 12; i++) expect(await pool.run(i)).toBe(i);
});

test('async hooks see each task begin, settle in its own scope, and end', async () => {
  const kinds = new Map<number, string>();
  const seen: string[] = [];
  const note = (what: string) => (id: number) => {
    if (kinds.get(id) === 'MillraceTask') seen.push(what);
  };
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const hook = createHook({
    init: (id, type) => void (type === 'MillraceTask' && (kinds.set(id, type), seen.push('init'))),
    before: note('before'),
    after: note('after'),
    destroy(id) {
      if (!kinds.has(id)) return;
      seen.push('destroy');
      end();
    },
  }).enable();
  await newPool().run(1);
  await ended;
  hook.disable();
  expect(seen).toEqual(['init', 'before', 'after', 'destroy']);
});
