// exit-while-busy.js SEED: the process ends at a random moment, in one of several ways, while threads push, pop and
// block.
'use strict';

const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { MpmcQueue } = require('@millrace/queue');
const randomOf = require('./random.js');

const random = randomOf(Number(process.argv[2]));
const overflow = ['reject', 'drop-newest', 'drop-oldest'][random(3)];
const queue = new MpmcQueue({ capacity: 64, messageBytes: 8, overflow });
const idle = new MpmcQueue({ capacity: 64, messageBytes: 8 });

const ways = [
  () => process.exit(7),
  () => {
    process.on('uncaughtException', () => process.exit(7));
    throw new Error('uncaught');
  },
  () => queue.popMany(1, () => process.exit(7)) || process.exit(7),
  () => process.reallyExit(7),
];
const end = ways[random(ways.length)];

const start = (token, role, data) =>
  new Worker(path.join(__dirname, 'thread.js'), { workerData: { token: token.share(), role, ...data } });
const marks = new SharedArrayBuffer(4);
const workers = [
  start(queue, 'churn', { produces: true, marks }),
  start(queue, 'churn', { consumes: true, marks }),
  start(idle, 'wait', {}),
];
let running = 0;
let left = random(30);
void queue.pop().then(() => undefined);
function push() {
  for (let i = 0; i < 100; i++) queue.tryPush(Buffer.alloc(8));
  if (left-- <= 0) end();
  setImmediate(push);
}
for (const worker of workers) worker.once('message', () => ++running === workers.length && push());
