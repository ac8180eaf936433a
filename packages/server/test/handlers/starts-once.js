'use strict';
const { threadId } = require('node:worker_threads');

/** Starts in the first thread that has it; each successor's start fails. */
module.exports = {
  start({ workerData }) {
    if (Atomics.compareExchange(workerData, 0, 0, threadId) !== 0) throw new Error('not again');
  },
  message() {
    process.exit(1);
  },
};
