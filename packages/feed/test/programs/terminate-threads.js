// terminate-threads.js OVERFLOW SEED ROUNDS: consuming and producing threads are terminated at random moments under
// load. Prints how many consumers were in the middle of a batch.
'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');
const { Feed } = require('@millrace/feed');
const randomOf = require('./random.js');

const [overflow, seed, rounds] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const random = randomOf(seed);
const feed = new Feed({ capacity: 64, maxMessageBytes: 100, overflow, key: 'u32', sampleEvery: 3 });

const start = (role) =>
  new Worker(path.join(__dirname, 'load-thread.js'), { workerData: { token: feed.share(), role } });

function checkBalance() {
  const { offered, delivered, failed, conflated, dropped, inFlight } = feed.stats();
  const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  assert.strictEqual(offered, delivered + failed + conflated + refused + inFlight);
}

async function round() {
  const failedBefore = feed.stats().failed;
  const consumer = start('consume');
  const producer = start('produce');
  await once(consumer, 'message');
  await sleep(random(5));
  const ends = [consumer.terminate()];
  if (random(2) === 0) await sleep(random(3));
  checkBalance();
  ends.push(producer.terminate());
  await Promise.all(ends);
  checkBalance();
  // Only what a consumer had begun when it ended counts as failed.
  return feed.stats().failed > failedBefore;
}

async function main() {
  const producer = start('produce');
  let caught = 0;
  for (let i = 0; i < rounds; i++) {
    if (await round()) caught++;
  }
  await producer.terminate();
  await feed.close();
  checkBalance();
  assert.strictEqual(feed.stats().inFlight, 0);
  console.log(JSON.stringify({ rounds, caught }));
}

void main();
