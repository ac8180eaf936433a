// Starts, or does not, as workerData says.
'use strict';

module.exports = {
  start({ workerIndex, workerData }) {
    if (workerIndex !== workerData.worker) return undefined;
    if (workerData.how === 'throw') throw Object.assign(new RangeError('no start'), { code: 'ERR_MINE' });
    if (workerData.how === 'exit') process.exit(3);
    return new Promise(() => {});
  },
  batch() {},
};
