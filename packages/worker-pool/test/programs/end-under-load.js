// end-under-load.js COUNT: so many processes that exit, and so many threads that are terminated, while they keep a pool
// busy. A crash, a hang or a thread that stays fails. Counts how many were caught with tasks running.
'use strict';
const assert = require('node:assert');
const { fork } = require('node:child_process');
const path = require('node:path');
const { isMainThread, parentPort, Worker, workerData } = require('node:worker_threads');

const filename = path.join(__dirname, '..', 'tasks', 'tasks.mjs');

/** Never lets a pool run dry; `stats` tells at any moment how it stands. */
function keepBusy() {
  const { WorkerPool } = require('@millrace/worker-pool');
  const pool = new WorkerPool({ filename, workers: 2, spares: 0 });
  const values = [1, 'text', Buffer.alloc(100), { a: 1 }];
  const busy = { name: 'busy' };
  const next = (i) => {
    const task = i % 2 === 0 ? pool.run(values[(i / 2) % values.length]) : pool.run(200_000, busy);
    void task.then(() => next(i + 1));
  };
  for (let i = 0; i < 200; i++) next(i);
  return pool;
}

const ended = (child, event) => new Promise((resolve) => child.once(event, (...how) => resolve(how)));

async function oneProcess() {
  const child = fork(__filename, ['child']);
  let caught = false;
  child.on('message', (running) => (caught = running > 0));
  const [code, signal] = await ended(child, 'exit');
  assert.deepStrictEqual([code, signal], [0, null]);
  return caught;
}

async function oneThread() {
  const thread = new Worker(__filename, { workerData: 'thread' });
  const running = await new Promise((resolve) => thread.once('message', resolve));
  await thread.terminate();
  return running > 0;
}

async function main(count) {
  let caught = 0;
  for (let i = 0; i < count; i++) {
    const results = await Promise.all([oneProcess(), oneThread()]);
    caught += results.filter(Boolean).length;
  }
  console.log(JSON.stringify({ exits: count, terminated: count, caught }));
}

/** Calls at a random moment, when the pool has run something. */
function atRandom(pool, call) {
  const tasks = 1 + Math.floor(Math.random() * 2000);
  const look = () => (pool.stats().completed < tasks ? setImmediate(look) : call(pool.stats().running));
  look();
}

if (!isMainThread && workerData === 'thread') {
  atRandom(keepBusy(), (running) => parentPort.postMessage(running));
} else if (process.argv[2] === 'child') {
  atRandom(keepBusy(), (running) => process.send(running, () => process.exit(0)));
} else {
  void main(Number(process.argv[2]));
}
