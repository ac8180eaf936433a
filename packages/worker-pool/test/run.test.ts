import { AsyncLocalStorage } from 'node:async_hooks';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { WorkerPool } from '@millrace/worker-pool';
import { closePools, failureOf, newPool, tasksFile } from './pools';

afterEach(closePools);

const values: [string, unknown][] = [
  ['an integer', 42],
  ['a fraction', 0.1],
  ['minus zero', -0],
  ['NaN', NaN],
  ['infinity', -Infinity],
  ['undefined', undefined],
  ['null', null],
  ['false', false],
  ['true', true],
  ['an empty string', ''],
  ['ASCII', 'quote'],
  ['Latin-1', 'Grüße'],
  ['a string that is not Latin-1', 'прайс 🦀'],
  ['a lone surrogate', 'a\ud800b'],
  ['a NUL', 'a\0b'],
  ['a long string', 'x'.repeat(16_384)],
  ['a string as long as a ring takes, in two bytes each', 'é'.repeat(8192)],
  ['one that is too long in bytes only', 'é'.repeat(16_384)],
  ['one that is too long', 'é'.repeat(100_000)],
  ['no bytes', new Uint8Array(0)],
  ['bytes', Uint8Array.of(1, 2, 255)],
  ['many bytes', new Uint8Array(50_000).fill(3)],
  ['a bigint', 2n ** 70n],
  ['an object', { symbol: 'BTC', prices: [1.5, 2], nested: { map: new Map([[1, new Set(['a'])]]) } }],
  ['a date', new Date(5)],
  ['another typed array', Float64Array.of(1.5)],
  ['an ordinary thenable-looking object', { then: 1 }],
];

test('each of them comes back as it was', async () => {
  const pool = newPool();
  for (const [what, value] of values) expect([what, await pool.run(value)]).toEqual([what, value]);
});

test('all of them at once, a thousand times, in each other’s way', async () => {
  const pool = newPool({ workers: 2 });
  // Those of many bytes take jest minutes to compare.
  const short = values
    .map(([, value]) => value)
    .filter((value) => !(value instanceof Uint8Array && value.length > 100));
  const many = Array.from({ length: 1000 }, (_, i) => short[i % short.length]);
  expect(await pool.runMany(many)).toEqual(many);
});

test('a Buffer arrives as bytes of its own, not as its pool', async () => {
  const pool = newPool();
  const buffer = Buffer.from('quote');
  expect(await pool.run(buffer, { name: 'kind' })).toBe('[object Uint8Array] false');
  const back: Uint8Array = await pool.run(buffer);
  expect(back.buffer.byteLength).toBe(5);
});

test('bytes over shared memory stay shared', async () => {
  const pool = newPool();
  const shared = new Uint8Array(new SharedArrayBuffer(4));
  const back: Uint8Array = await pool.run(shared);
  shared[0] = 9;
  expect(back[0]).toBe(9);
});

test('results that are larger than a ring come too', async () => {
  const pool = newPool();
  const counts = [0, 1, 16_384, 16_385, 65_536, 1_000_000];
  const results: Uint8Array[] = await pool.runMany(counts, { name: 'bytesOf' });
  expect(results.map((bytes) => bytes.length)).toEqual(counts);
  expect(await pool.run({ text: '€', count: 50_000 }, { name: 'textOf' })).toBe('€'.repeat(50_000));
});

test('named tasks, sync and async, and the default by its name', async () => {
  const pool = newPool();
  expect(await pool.run(1, { name: 'add' })).toBe(2);
  expect(await pool.run(3, { name: 'later' })).toBe(3);
  expect(await pool.run(4, { name: 'default' })).toBe(4);
  expect(await pool.enqueue(5, { name: 'add' })).toBe(6);
});

test('a name that the module does not have fails its tasks only', async () => {
  const pool = newPool();
  const error = await failureOf(pool.run(1, { name: 'nothing' }));
  expect(error).toMatchObject({ code: 'ERR_TASK_NOT_FOUND', name: 'TypeError' });
  expect(error.message).toContain('"nothing"');
  expect(await pool.run(1, { name: 'add' })).toBe(2);
  expect(await failureOf(pool.run(1, { name: 'toString' }))).toMatchObject({ code: 'ERR_TASK_NOT_FOUND' });
});

test('tasks run in the order they came, one at a time', async () => {
  const pool = newPool();
  const seen: number[] = [];
  const tasks = Array.from({ length: 50 }, (_, i) => pool.run(i % 3, { name: 'later' }).then(() => seen.push(i)));
  await Promise.all(tasks);
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test('context: index and data of the worker', async () => {
  const pool = newPool({ workers: 2, workerData: { region: 'eu' } });
  expect(await pool.run(0, { name: 'data' })).toEqual({ region: 'eu' });
  const indices = await pool.runMany(
    Array.from({ length: 20 }, () => 0),
    { name: 'index' },
  );
  expect(indices.every((index) => index === 0 || index === 1)).toBe(true);
});

test('transferList moves memory to the worker', async () => {
  const pool = newPool({ workers: 2 });
  const buffer = new ArrayBuffer(1000);
  expect(await pool.run(buffer, { name: 'size', transferList: [buffer] })).toBe(1000);
  expect(buffer.byteLength).toBe(0);
  const { port1 } = new MessageChannel();
  const notListed = { code: 'ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST' };
  await expect(pool.run(port1)).rejects.toMatchObject(notListed);
  port1.close();
  const many = await Promise.all(
    Array.from({ length: 50 }, (_, i) => {
      const one = new ArrayBuffer(i);
      return Promise.all([pool.run(one, { name: 'size', transferList: [one] }), pool.run(i, { name: 'add' })]);
    }),
  );
  expect(many).toEqual(Array.from({ length: 50 }, (_, i) => [i, i + 1]));
});

test('what cannot be cloned rejects its task only', async () => {
  const pool = newPool();
  await expect(pool.run(() => 1)).rejects.toMatchObject({ name: 'DataCloneError' });
  await expect(pool.run(1, { name: 'unclonable' })).rejects.toMatchObject({ name: 'DataCloneError' });
  await expect(pool.run(1, { name: 'throwUnclonable' })).rejects.toMatchObject({ name: 'DataCloneError' });
  expect(await pool.run(1, { name: 'add' })).toBe(2);
  expect(pool.stats()).toMatchObject({ completed: 1, failed: 2, rejected: 1, queued: 0, running: 0 });
});

test('errors keep class, name, code, properties and the worker’s stack', async () => {
  const pool = newPool();
  const error = await failureOf(pool.run('class', { name: 'fail' }));
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ name: 'QuoteError', message: 'no quote', code: 'E_QUOTE', symbol: 'BTC' });
  expect(error.stack).toContain('tasks.mjs');
  const outer = await failureOf(pool.run('cause', { name: 'fail' }));
  expect(outer.cause).toBeInstanceOf(TypeError);
  expect(outer.cause).toMatchObject({ message: 'inner' });
  const both = await failureOf(pool.run('aggregate', { name: 'fail' }));
  expect(both).toBeInstanceOf(AggregateError);
  expect((both as unknown as AggregateError).errors[1]).toBeInstanceOf(RangeError);
  const system = await failureOf(pool.run('system', { name: 'fail' }));
  expect(system).toMatchObject({ code: 'ENOENT', syscall: 'spawnSync /nonexistent' });
});

test('what is thrown and is no error is what is rejected with', async () => {
  const pool = newPool();
  await expect(pool.run('words', { name: 'fail' })).rejects.toBe('words');
  await expect(pool.run(undefined, { name: 'fail' })).rejects.toBeUndefined();
  await expect(pool.run({ a: 1 }, { name: 'fail' })).rejects.toEqual({ a: 1 });
});

test.each([
  ['an absolute path', tasksFile],
  ['a URL', pathToFileURL(tasksFile)],
  ['the text of a URL', pathToFileURL(tasksFile).href],
  ['a relative path', path.relative(process.cwd(), tasksFile)],
])('the module by %s', async (_what, filename) => {
  const pool = newPool({ filename });
  expect(await pool.run(1, { name: 'add' })).toBe(2);
});

test.each([
  ['compiled.cjs', 'compiled 1', 'named', 'named 1'],
  ['plain.cjs', 'plain 1', 'named', 'named 1'],
  ['hidden-names.cjs', 'hidden 1', 'b', 'b 1'],
])('CommonJS: %s', async (file, byDefault, name, byName) => {
  const pool = newPool({ filename: path.join(__dirname, 'tasks', file) });
  expect(await pool.run(1)).toBe(byDefault);
  expect(await pool.run(1, { name })).toBe(byName);
});

test('the async context of the caller is there after the task', async () => {
  const pool = newPool();
  const storage = new AsyncLocalStorage<number>();
  const seen = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      storage.run(i, async () => {
        await pool.run(i);
        const between = storage.getStore();
        await pool.runMany([1, 2]).catch(() => undefined);
        const after = await failureOf(pool.run('x', { name: 'fail' }).finally(() => undefined)).catch(() => 0);
        return [between, storage.getStore(), after === 0 ? storage.getStore() : -1];
      }),
    ),
  );
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => [i, i, -1]));
});

test('runMany of nothing is an empty list; its first failure is its own', async () => {
  const pool = newPool();
  expect(await pool.runMany([])).toEqual([]);
  expect(await pool.runMany([1, 2, 3], { name: 'add' })).toEqual([2, 3, 4]);
  await expect(pool.runMany(['a', 'b'], { name: 'fail' })).rejects.toBe('a');
});

test.each<[string, unknown, string]>([
  ['no options', undefined, 'ERR_INVALID_ARG_TYPE'],
  ['no filename', {}, 'ERR_INVALID_ARG_TYPE'],
  ['a filename of the wrong type', { filename: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ['no workers', { filename: 'x', workers: 0 }, 'ERR_OUT_OF_RANGE'],
  ['half a worker', { filename: 'x', workers: 1.5 }, 'ERR_OUT_OF_RANGE'],
  ['a negative limit', { filename: 'x', stuckAfterMs: -1 }, 'ERR_OUT_OF_RANGE'],
  ['a limit that is no number', { filename: 'x', warnAfterMs: '5' }, 'ERR_INVALID_ARG_TYPE'],
  ['a negative capacity', { filename: 'x', queue: { capacity: -1 } }, 'ERR_OUT_OF_RANGE'],
  ['an unknown policy', { filename: 'x', queue: { overflow: 'block' } }, 'ERR_INVALID_ARG_VALUE'],
])('a pool is not made with %s', (_what, options, code) => {
  expect(() => new WorkerPool(options as never)).toThrow(expect.objectContaining({ code }));
});

test.each<[string, unknown, string]>([
  ['a name that is no string', { name: 5 }, 'ERR_INVALID_ARG_TYPE'],
  ['a priority that is no integer', { priority: 0.5 }, 'ERR_OUT_OF_RANGE'],
  ['a negative timeout', { timeoutMs: -1 }, 'ERR_OUT_OF_RANGE'],
  ['a signal that is none', { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
  ['a transferList that is no array', { transferList: 'x' }, 'ERR_INVALID_ARG_TYPE'],
])('run rejects %s', async (_what, options, code) => {
  const pool = newPool();
  await expect(pool.run(1, options as never)).rejects.toMatchObject({ code });
});
