// The receiving thread of a contender: takes messages as that one gives them, and says when it has so many as it was told.
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { MpmcQueue, SpscRing } from '@millrace/queue';

const { kind, token, storage, loader, count, batch } = workerData;
let got = 0;
let sum = 0;

const take = (bytes) => {
  sum += bytes[0];
  if (++got % count === 0) parentPort.postMessage(sum);
};

async function ringbuf() {
  const { RingBuffer } = await (await import(loader)).default('ringbuf.js');
  const ring = new RingBuffer(storage, Uint8Array);
  const bytes = new Uint8Array(64 * batch);
  parentPort.postMessage('ready');
  // It has no way to wait.
  for (;;) {
    if (ring.pop(bytes) === 0) continue;
    for (let at = 0; at < bytes.length; at += 64) {
      sum += bytes[at];
      if (++got % count === 0) parentPort.postMessage(sum);
    }
  }
}

function queue(attached) {
  parentPort.postMessage(readlinkSync('/proc/thread-self'));
  for (;;) {
    if (attached.popMany(1024, take) > 0) continue;
    const message = attached.popSync();
    if (message === undefined) return;
    take(message);
  }
}

if (kind === 'postMessage') {
  parentPort.on('message', take);
  parentPort.postMessage('ready');
} else if (kind === 'ringbuf') {
  await ringbuf();
} else {
  queue((kind === 'ring' ? SpscRing : MpmcQueue).attach(token));
}
