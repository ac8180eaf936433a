// A consumer that keeps a ledger in shared memory, and dies now and then by one of the fates it is given.
//   workerData: { begun: Int32Array(messages), last: Int32Array(keys), counts: Int32Array(5), fates, oneIn, seed }
// begun: how often each message was begun. last: the latest message of each key. counts: messages out of order,
// times died, rounds of workers, times thrown (one of the deaths, which the worker outlives), messages of failed batches
// that were never begun.
'use strict';

const { execFileSync } = require('node:child_process');
const randomOf = require('../programs/random.js');

const fates = {
  exit: () => process.exit(),
  uncaught: () => {
    setImmediate(() => {
      throw new Error('uncaught');
    });
    // Stays in the batch until the error ends the thread.
    return new Promise(() => {});
  },
  throw: (data, unbegun) => {
    Atomics.add(data.counts, 3, 1);
    Atomics.add(data.counts, 4, unbegun);
    throw new Error('thrown');
  },
  spin: () => {
    for (;;);
  },
  wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  native: () => execFileSync('sleep', ['1']),
  memory: () => {
    const hoard = [];
    for (;;) hoard.push(new Array(1000).fill(hoard.length));
  },
};

let random;

function begin(data, batch, i) {
  const number = batch.view.getUint32(batch.offset(i), true);
  const key = batch.key(i);
  Atomics.add(data.begun, number, 1);
  if (number <= Atomics.exchange(data.last, key, number)) Atomics.add(data.counts, 0, 1);
}

module.exports = {
  start({ workerData }) {
    random = randomOf(workerData.seed + Atomics.add(workerData.counts, 2, 1));
  },
  batch(batch, { workerData: data }) {
    for (let i = 0; i < batch.length; i++) {
      begin(data, batch, i);
      if (random(data.oneIn) !== 0) continue;
      Atomics.add(data.counts, 1, 1);
      return fates[data.fates[random(data.fates.length)]](data, batch.length - i - 1);
    }
    return undefined;
  },
};
