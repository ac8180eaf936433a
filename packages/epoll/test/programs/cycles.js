// Starts workers that are in the middle of work with all three classes, and ends them at random moments: argv[2] says
// how many. Prints what is left behind: descriptors, threads, and how much memory the second half added.
'use strict';

const { readdirSync } = require('node:fs');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { Epoll, EPOLLET, EPOLLIN, EPOLLONESHOT, EpollSet, EventFd } = require('@millrace/epoll');

function work(kind) {
  const events = Array.from({ length: 8 }, () => new EventFd({ initial: 1 }));
  if (kind === 'callbacks') {
    const pollers = events.map(({ fd }, i) => {
      const poller = new Epoll((_error, ready) => {
        events[(i + 1) % events.length].notify();
        poller.modify(ready, EPOLLIN | EPOLLET | (i % 2 === 0 ? EPOLLONESHOT : 0));
      });
      return poller.add(fd, EPOLLIN | EPOLLET);
    });
    setInterval(() => pollers.splice(0, 1).forEach((poller) => poller.close()), 5);
  }
  parentPort.postMessage('working');
  if (kind === 'asleep') {
    const set = new EpollSet().add(new EventFd().fd, EPOLLIN);
    for (;;) set.wait(new Uint32Array(2));
  }
  if (kind === 'waiting') {
    const out = new Uint32Array(8);
    const set = new EpollSet();
    for (const { fd } of events) set.add(fd, EPOLLIN);
    for (;;) {
      const count = set.wait(out);
      for (let i = 0; i < count; i++) set.remove(out[2 * i]).add(out[2 * i], EPOLLIN | EPOLLET);
      for (const event of events) event.notify();
    }
  }
}

const census = () => ({
  descriptors: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
  rss: process.memoryUsage.rss(),
});

let state = Number(process.argv[3]) >>> 0;
function random(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state % below;
}

async function cycle() {
  const kind = ['callbacks', 'waiting', 'asleep'][random(3)];
  const worker = new Worker(__filename, { workerData: kind });
  const failed = new Promise((_, reject) => worker.once('error', reject));
  await Promise.race([new Promise((resolve) => worker.once('message', resolve)), failed]);
  const moment = performance.now() + random(300) / 100;
  while (performance.now() < moment) await new Promise((resolve) => setImmediate(resolve));
  await worker.terminate();
}

async function cycles(count) {
  for (let i = 0; i < count; i++) await cycle();
}

async function main() {
  const count = Number(process.argv[2]);
  await cycles(5); // what Node and the allocator keep for ever
  const first = census();
  await cycles(Math.floor(count / 2));
  const middle = census();
  await cycles(Math.ceil(count / 2));
  const last = census();
  console.log(
    JSON.stringify({
      count,
      descriptors: last.descriptors - first.descriptors,
      threads: last.threads - first.threads,
      mebibytes: Math.round((last.rss - middle.rss) / 2 ** 20),
    }),
  );
  // In the middle of work of every kind: process.exit() ends it.
  for (const kind of ['callbacks', 'waiting', 'asleep']) {
    const worker = new Worker(__filename, { workerData: kind });
    await new Promise((resolve) => worker.once('message', resolve));
  }
  process.exit(7);
}

if (isMainThread) void main();
else work(workerData);
