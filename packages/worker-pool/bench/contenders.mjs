// The pools, each as `run(name, value)`: a promise of the result.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { WorkerPool } from '@millrace/worker-pool';

const WORKERS = 2;
const place = (file) => new URL(file, import.meta.url);
const tasks = place('tasks.mjs');
const tasksFile = fileURLToPath(tasks);

/** @returns {{ run(name: string, value: unknown): Promise<unknown>, close(): Promise<unknown> }} */
export function millrace() {
  const pool = new WorkerPool({ filename: tasks, workers: WORKERS });
  const work = { name: 'work' };
  const run = (name, value) => (name === 'work' ? pool.run(value, work) : pool.run(value));
  return { run, close: () => pool.close() };
}

/** What a program does without a pool: messages to the workers in turn. */
export function raw() {
  const pending = new Map();
  const workers = Array.from({ length: WORKERS }, () => {
    const worker = new Worker(place('raw-worker.mjs'));
    worker.on('message', ({ id, result }) => {
      const resolve = pending.get(id);
      pending.delete(id);
      resolve(result);
    });
    return worker;
  });
  let next = 0;
  const run = (name, value) =>
    new Promise((resolve) => {
      const id = next++;
      pending.set(id, resolve);
      workers[id % WORKERS].postMessage({ id, name, value });
    });
  return { run, close: () => Promise.all(workers.map((worker) => worker.terminate())) };
}

export async function piscina({ load }) {
  const { Piscina } = await load();
  const pool = new Piscina({ filename: tasksFile, minThreads: WORKERS, maxThreads: WORKERS });
  const work = { name: 'work' };
  const run = (name, value) => (name === 'work' ? pool.run(value, work) : pool.run(value));
  return { run, close: () => pool.destroy() };
}

export async function tinypool({ load }) {
  const { Tinypool } = await load();
  const pool = new Tinypool({
    filename: tasksFile,
    minThreads: WORKERS,
    maxThreads: WORKERS,
    runtime: 'worker_threads',
  });
  const work = { name: 'work' };
  const run = (name, value) => (name === 'work' ? pool.run(value, work) : pool.run(value));
  return { run, close: () => pool.destroy() };
}

export async function workerpool({ load, loader }) {
  const { default: library } = await load();
  const pool = library.pool(fileURLToPath(place('workerpool-worker.mjs')), {
    minWorkers: WORKERS,
    maxWorkers: WORKERS,
    workerType: 'thread',
    workerThreadOpts: { workerData: { loader } },
  });
  const run = (name, value) => pool.exec(name, [value]);
  return { run, close: () => pool.terminate() };
}
