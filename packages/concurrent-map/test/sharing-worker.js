// A thread of sharing.test.ts: attaches to workerData.token and does as workerData.task says.
'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { ConcurrentMap } = require('@millrace/concurrent-map');

const map = ConcurrentMap.attach(workerData.token);

const tasks = {
  add() {
    for (let i = 0; i < workerData.times; i++) map.add(`key ${i % 10}`, 1);
    parentPort.postMessage('done');
  },
  update() {
    for (let i = 0; i < workerData.times; i++) map.update('list', (old = []) => [...old.slice(-50), old.length]);
    map.update('count', (old = 0) => old + workerData.times);
    parentPort.postMessage('done');
  },
  hold() {
    parentPort.postMessage(map.get('k'));
    parentPort.once('message', () => {
      map.close();
      parentPort.postMessage('closed');
    });
  },
  // Until it is terminated, at whatever moment.
  churn() {
    parentPort.postMessage('busy');
    for (let i = 0; ; i++) {
      map.update(`key ${i % 50}`, (old) => Buffer.alloc(((old?.length ?? 0) + 37) % 5000, i));
      if (i % 3 === 0) map.delete(`key ${(i * 7) % 50}`);
      if (i % 64 === 0) map.scan(0, 100);
    }
  },
};
tasks[workerData.task]();
