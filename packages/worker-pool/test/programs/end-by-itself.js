// end-by-itself.js HOW: does something with a pool and lets go of it; what it said is printed at exit.
'use strict';
const path = require('node:path');
const { WorkerPool } = require('@millrace/worker-pool');

const filename = path.join(__dirname, '..', 'tasks', 'tasks.mjs');
const gate = new Int32Array(new SharedArrayBuffer(16));
const pool = new WorkerPool({ filename, workers: 2, workerData: { gate }, stuckAfterMs: 0 });
let said = '';
process.on('exit', () => console.log(JSON.stringify({ said })));

const ways = {
  fresh: () => undefined,
  idle: () => pool.run(1),
  pending: () => pool.run(50, { name: 'later' }).then(() => (said = 'done')),
  unref: () => pool.unref().run(60_000, { name: 'later' }),
  ref: async () => {
    pool.ref();
    await pool.run(1);
    // Only the pool keeps the process until this comes.
    const timer = setTimeout(() => {
      said = 'stayed';
      pool.unref();
    }, 100);
    timer.unref();
  },
  close: async () => {
    pool.unref();
    await pool.close();
    said = 'closed';
  },
  blocked: async () => {
    void pool.run(0, { name: 'gate' });
    while (Atomics.load(gate, 1) === 0) await new Promise(setImmediate);
    pool.unref();
  },
};
void ways[process.argv[2]]();
