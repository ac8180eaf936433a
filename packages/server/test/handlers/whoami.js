'use strict';
const { isMainThread } = require('node:worker_threads');

/** Answers where it runs. */
let context;
module.exports = {
  async start(given) {
    await new Promise((resolve) => setImmediate(resolve));
    context = given;
  },
  message(connection) {
    const { workerIndex, workerData } = context;
    connection.send(JSON.stringify({ workerIndex, workerData, isMainThread, started: true }));
  },
};
