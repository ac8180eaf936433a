// exit-while-busy.js SEED: the process ends at a random moment, in one of several ways, while threads push and read.
// Prints, as it ends, how many messages were in batches.
'use strict';

const { writeSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');
const { Feed } = require('@millrace/feed');
const randomOf = require('./random.js');

const random = randomOf(Number(process.argv[2]));
const overflow = ['block', 'drop-newest', 'drop-oldest', 'conflate', 'sample'][random(5)];
const feed = new Feed({ capacity: 64, maxMessageBytes: 100, overflow, key: 'u32', sampleEvery: 3 });
const start = (role) =>
  new Worker(path.join(__dirname, 'load-thread.js'), { workerData: { token: feed.share(), role } });

process.on('exit', () => {
  const { inFlight, depth } = feed.stats();
  writeSync(1, JSON.stringify({ leased: inFlight - depth }));
});

async function main() {
  const ways = {
    exit: () => process.exit(0),
    uncaught: () => {
      process.on('uncaughtException', () => process.exit(0));
      throw new Error('uncaught');
    },
    inBatch: () => {
      feed.consume((batch) => {
        batch.bytes(0);
        process.exit(0);
      });
    },
  };
  start('produce');
  const consumer = start('consume');
  await new Promise((resolve) => consumer.once('message', resolve));
  await sleep(random(10));
  setImmediate(ways[Object.keys(ways)[random(3)]]);
}

void main();
