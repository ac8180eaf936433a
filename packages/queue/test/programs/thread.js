// A thread with a handle of its own, in the role that it is told.
'use strict';

const { readlinkSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const { MpmcQueue, SpscRing } = require('@millrace/queue');

const { token, role, count, producer } = workerData;
const queue = (token.kind === 'spsc-ring' ? SpscRing : MpmcQueue).attach(token);
const message = Buffer.alloc(8);
const marks = workerData.marks && new Int32Array(workerData.marks);

function next(i) {
  message.writeUInt32LE(producer, 0);
  message.writeUInt32LE(i, 4);
  return message;
}

const roles = {
  async produce() {
    for (let i = 0; i < count; i++) {
      if (!queue.tryPush(next(i))) await queue.push(message);
    }
    queue.detach();
    parentPort.postMessage('done');
  },
  async consume() {
    const seen = [];
    for await (const message of queue) seen.push([message.readUInt32LE(0), message.readUInt32LE(4)]);
    parentPort.postMessage(seen);
  },
  consumeSync() {
    const seen = [];
    while (!queue.ended) {
      const message = queue.popSync();
      if (message !== undefined) seen.push([message.readUInt32LE(0), message.readUInt32LE(4)]);
    }
    parentPort.postMessage(seen);
  },
  wait() {
    parentPort.postMessage('waiting');
    queue.popSync();
  },
  answer() {
    parentPort.postMessage('waiting');
    while (queue.popSync() !== undefined) parentPort.postMessage('got');
  },
  waitNamed() {
    parentPort.postMessage(readlinkSync('/proc/thread-self'));
    queue.popSync();
  },
  // The event loop has something to do all the time.
  waitBusy() {
    setInterval(() => undefined, 1);
    setImmediate(() => {
      parentPort.postMessage('waiting');
      queue.popSync();
    });
    parentPort.on('message', () => undefined);
  },
  pending() {
    for (let i = 0; i < 10; i++) void queue.pop().then(() => parentPort.postMessage('popped'));
    parentPort.postMessage('waiting');
  },
  // Whoever ends it, at whatever moment. marks: 0 nothing, 1 in the middle of a batch; messages that it moved out.
  churn() {
    const list = Array.from({ length: 20 }, () => Buffer.alloc(8, 'm'));
    const batch = { done: 0 };
    const visit = () => {
      batch.done++;
      for (let k = 0; k < 50; k++) batch.spin = k;
    };
    parentPort.postMessage('busy');
    for (let i = 0; ; i++) {
      marks[0] = 1;
      if (workerData.produces) queue.pushMany(list);
      if (workerData.consumes) queue.popMany(20, visit);
      marks[0] = 0;
      if (i % 5 === 0 && workerData.consumes) queue.popSync(0);
      if (i % 7 === 0 && workerData.consumes) void queue.pop({ timeoutMs: 1 }).catch(() => undefined);
      if (i % 11 === 0 && workerData.produces) void queue.push(list[0], { timeoutMs: 1 }).catch(() => undefined);
    }
  },
};

void roles[role]();
