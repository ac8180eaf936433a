// Fails as workerData says, each time it gets a batch.
'use strict';

let workerDataOfStart;

module.exports = {
  start({ workerData }) {
    workerDataOfStart = workerData;
  },
  batch(batch, { workerData }) {
    batch.bytes(0);
    if (workerData.how === 'throw') throw Object.assign(new TypeError('boom'), { code: 'ERR_MINE' });
    if (workerData.how === 'exit') process.exit(7);
    if (workerData.how === 'never') return new Promise(() => {});
    if (workerData.how === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData.ms);
    return undefined;
  },
  stop() {
    return workerDataOfStart?.how === 'never-stops' ? new Promise(() => {}) : undefined;
  },
};
