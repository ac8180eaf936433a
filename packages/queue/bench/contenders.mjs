import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { MpmcQueue, SpscRing } from '@millrace/queue';

const MESSAGE = Buffer.alloc(64, 1);
const BATCH = 256;

/** A worker that receives, and the nanoseconds that a message takes to get there. */
async function contender(count, data, sendAll) {
  const worker = new Worker(new URL('./consumer.mjs', import.meta.url), { workerData: { ...data, count } });
  worker.on('error', (error) => {
    throw error;
  });
  const [task] = await once(worker, 'message');
  const sample = async () => {
    const arrived = once(worker, 'message');
    const start = performance.now();
    sendAll(worker);
    await arrived;
    return ((performance.now() - start) * 1e6) / count;
  };
  return { worker, task, sample };
}

export function postMessage(count) {
  return contender(count, { kind: 'postMessage' }, (worker) => {
    const bytes = new Uint8Array(MESSAGE);
    for (let i = 0; i < count; i++) worker.postMessage(bytes);
  });
}

/** Messages that have a fixed size only because both sides know it: `batch` of them in one push. */
export async function ringbuf({ loader, load }, count, batch) {
  const { RingBuffer } = await load();
  const storage = RingBuffer.getStorageForCapacity(1 << 16, Uint8Array);
  const ring = new RingBuffer(storage, Uint8Array);
  const bytes = new Uint8Array(64 * batch).fill(1);
  return contender(count, { kind: 'ringbuf', storage, loader, batch }, () => {
    for (let sent = 0; sent < count; sent += batch) {
      // As the consumer: all or nothing, or a message would be torn.
      while (ring.available_write() < bytes.length);
      ring.push(bytes);
    }
  });
}

function batches(queue, roomy) {
  return (count) => {
    const list = Array.from({ length: BATCH }, () => Buffer.from(MESSAGE));
    for (let sent = 0; sent < count;) {
      const wanted = Math.min(BATCH, count - sent);
      const done = queue.pushMany(wanted === BATCH ? list : list.slice(0, wanted));
      sent += done;
      // Packing what does not fit is work for nothing.
      if (done < wanted) while (!roomy());
    }
  };
}

export async function ring(count) {
  const queue = new SpscRing({ capacity: 1 << 16 });
  const send = batches(queue, () => queue.size < queue.capacity / 72 / 2);
  return { ...(await contender(count, { kind: 'ring', token: queue.share() }, () => send(count))), queue };
}

export async function queue(count) {
  const queue = new MpmcQueue({ capacity: 1024, messageBytes: 64 });
  const send = batches(queue, () => queue.size < queue.capacity / 2);
  return { ...(await contender(count, { kind: 'queue', token: queue.share() }, () => send(count))), queue };
}
