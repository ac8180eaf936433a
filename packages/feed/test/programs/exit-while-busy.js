// exit-while-busy.js SEED: the process ends at a random moment, in one of several ways, while one thread pushes and
// another one reads. Prints, as it ends, how many messages were in batches.
'use strict';

const { writeSync } = require('node:fs');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { Feed } = require('@millrace/feed');
const randomOf = require('./random.js');

const random = randomOf(Number(process.argv[2]));
const overflow = ['block', 'drop-newest', 'drop-oldest', 'conflate', 'sample'][random(5)];
const feed = new Feed({ capacity: 64, maxMessageBytes: 100, overflow, key: 'u32', sampleEvery: 3 });

process.on('exit', () => {
  const { inFlight, depth } = feed.stats();
  writeSync(1, JSON.stringify({ leased: inFlight - depth }));
});

const ways = [
  () => process.exit(0),
  () => {
    process.on('uncaughtException', () => process.exit(0));
    throw new Error('uncaught');
  },
  () => {
    feed.consume((batch) => {
      batch.bytes(0);
      process.exit(0);
    });
  },
];
const end = ways[random(ways.length)];
const message = Buffer.alloc(100, 'm');
let left = Infinity;
let ending = false;

function push() {
  for (let i = 0; i < 100; i++) feed.push(message, i % 50);
  setImmediate(push);
  left--;
  if (left > 0 || ending) return;
  ending = true;
  end();
}

const consumer = new Worker(path.join(__dirname, 'load-thread.js'), {
  workerData: { token: feed.share(), role: 'consume' },
});
consumer.once('message', () => (left = random(30)));
push();
