'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { Publisher } = require('@millrace/server');

/** A plain thread that publishes by a token, and ends as it is told. */
const { token, count, how } = workerData;
const publisher = Publisher.attach(token);
for (let i = 0; i < count; i++) {
  publisher.publish('room', `${how} ${i}`);
  if (i === 1_000) parentPort.postMessage('begun');
  if (i === 3_000 && how === 'exit') process.exit(0);
}
if (how === 'close') publisher.close();
