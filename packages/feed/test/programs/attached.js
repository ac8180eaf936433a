// A thread with a handle of its own: pushes `count` messages, or does what else it is told to.
'use strict';

const { parentPort, workerData } = require('node:worker_threads');
const { Feed } = require('@millrace/feed');

const { token, role, first, count } = workerData;
const message = Buffer.alloc(4);

function push(feed, number) {
  message.writeUInt32LE(number);
  feed.push(message, number % 8);
}

const roles = {
  produce(feed) {
    for (let i = 0; i < count; i++) push(feed, first + i);
    feed.detach();
  },
  // The feed is full and nobody reads: does not return.
  wait(feed) {
    parentPort.postMessage('waiting');
    push(feed, 0);
  },
  consume(feed) {
    feed.consume(() => {});
    feed.once('close', () => parentPort.postMessage(feed.stats()));
    parentPort.postMessage('consuming');
  },
};

roles[role](Feed.attach(token));
