// One thread of a program that is to end under load: pushes without a break, or consumes without a break.
'use strict';

const { setImmediate: turn } = require('node:timers/promises');
const { parentPort, workerData } = require('node:worker_threads');
const { Feed } = require('@millrace/feed');

const feed = Feed.attach(workerData.token);

function busy(microseconds) {
  const until = process.hrtime.bigint() + BigInt(microseconds) * 1000n;
  while (process.hrtime.bigint() < until);
}

async function produce() {
  const message = Buffer.alloc(100, 'm');
  for (let i = 0; ; i++) {
    try {
      feed.push(message, i % 50);
    } catch (error) {
      if (error.code === 'ERR_FEED_CLOSED') return;
      throw error;
    }
    if (i % 1000 === 0) await turn();
  }
}

function consume() {
  let first = true;
  feed.consume((batch) => {
    if (first) parentPort.postMessage('consuming');
    first = false;
    for (let i = 0; i < batch.length; i++) {
      batch.bytes(i);
      busy(20);
    }
  });
}

if (workerData.role === 'produce') void produce();
else consume();
