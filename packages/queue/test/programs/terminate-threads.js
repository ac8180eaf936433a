// terminate-threads.js KIND SEED THREADS: threads that push and pop are terminated at random moments; the others must go
// on, and in the end everything must have gone somewhere. Prints how many were in the middle of a batch.
'use strict';

const assert = require('node:assert');
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { setImmediate: turn } = require('node:timers/promises');
const { Worker } = require('node:worker_threads');
const { MpmcQueue, SpscRing } = require('@millrace/queue');
const randomOf = require('./random.js');

const [kind, seed, threads] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const random = randomOf(seed);
const queue =
  kind === 'spsc-ring'
    ? new SpscRing({ capacity: 1024 })
    : new MpmcQueue({ capacity: 64, messageBytes: 8, overflow: kind });
const descriptors = () => readdirSync('/proc/self/fd').length;

function start(role, data) {
  const worker = new Worker(path.join(__dirname, 'thread.js'), { workerData: { token: queue.share(), role, ...data } });
  return new Promise((resolve, reject) => {
    worker.once('message', () => resolve(worker));
    worker.once('error', reject);
  });
}

async function main() {
  let caught = 0;
  let before;
  for (let i = 0; i < threads; i++) {
    const marks = [0, 1].map(() => new SharedArrayBuffer(4));
    const workers = await Promise.all([
      start('churn', { produces: true, marks: marks[0] }),
      start('churn', { consumes: true, marks: marks[1] }),
    ]);
    for (let left = random(300); left > 0; left--) {
      // A ring's sides are the workers'.
      if (kind !== 'spsc-ring') {
        queue.tryPush(Buffer.alloc(8, 'x'));
        queue.tryPop();
      }
      if (left % 100 === 0) await turn();
    }
    caught += marks.filter((mark) => new Int32Array(mark)[0] === 1).length;
    await Promise.all(workers.map((worker) => worker.terminate()));
    // What they had of the queue is free: this thread can do anything with it.
    while (queue.tryPop() !== undefined);
    assert.strictEqual(queue.tryPush(Buffer.from('after')), true);
    assert.strictEqual(String(await queue.pop()), 'after');
    assert.strictEqual(queue.popSync(0), undefined);
    if (kind === 'spsc-ring') {
      // Gives both sides back: they are of the next two.
      const token = queue.share();
      const other = SpscRing.attach(token);
      other.detach();
    }
    before ??= descriptors();
  }
  const { pushed, popped, dropped, depth } = queue.stats();
  assert.strictEqual(pushed, popped + dropped.oldest + depth);
  assert.strictEqual(depth, 0);
  assert.ok(descriptors() <= before, `${descriptors()} descriptors, ${before} before`);
  queue.detach();
  console.log(JSON.stringify({ caught }));
}

void main();
