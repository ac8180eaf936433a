// A thread of sharing.test.ts: attaches to workerData.token and does as workerData.task says.
'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { ObjectPool } = require('@millrace/object-pool');

const pool = ObjectPool.attach(workerData.token);

const tasks = {
  // Says which records it has: some kept, one handed on.
  keep() {
    const kept = Array.from({ length: workerData.times }, () => pool.acquireIndex());
    const handedOn = pool.acquireIndex();
    pool.column('value').set(handedOn, 42);
    pool.handOn(handedOn);
    parentPort.postMessage({ kept, handedOn });
    parentPort.once('message', () => process.exit());
  },
  // Takes over what it is sent, and keeps it.
  adopt() {
    parentPort.on('message', (index) => parentPort.postMessage(pool.adopt(index).value));
  },
  look() {
    parentPort.on('message', (index) => parentPort.postMessage(pool.at(index).value));
  },
  // Each record counts up by one holder at a time.
  count() {
    const value = pool.column('value');
    let done = 0;
    for (let i = 0; i < workerData.times; i++) {
      const index = pool.acquireIndex();
      if (index < 0) continue;
      value.set(index, value.get(index) + 1);
      pool.releaseIndex(index);
      done++;
    }
    parentPort.postMessage(done);
  },
  // Until it is terminated, at whatever moment.
  churn() {
    const held = [];
    parentPort.postMessage('busy');
    for (let i = 0; ; i++) {
      const view = pool.acquire();
      if (view !== undefined) held.push(view);
      if (held.length > 50 || view === undefined) pool.release(held.splice((i * 7) % held.length, 1)[0]);
    }
  },
};
tasks[workerData.task]();
