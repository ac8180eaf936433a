// hand-over.mjs feed|function|zeromq MESSAGES [LOADER]: so many messages of 64 bytes go from a producer on one thread to a
// handler on a worker, which reads a number out of each. Prints the nanoseconds that one takes.
import { performance } from 'node:perf_hooks';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Feed } from '@millrace/feed';
import { loadProducer } from '../producer.mjs';

const BYTES = 64;
const CAPACITY = 4096;

const [way, count, loader] = isMainThread ? process.argv.slice(2) : workerData.args;
const messages = Number(count);
/** [messages to come, sum, seen] */
const cells = isMainThread ? new Int32Array(new SharedArrayBuffer(12)) : workerData.cells;

const seenAll = async () => {
  while (cells[2] < messages) await Atomics.waitAsync(cells, 2, cells[2], 100).value;
};

function see(view) {
  cells[1] += view.readUInt32LE(0);
  if (++cells[2] === messages) Atomics.notify(cells, 2);
}

/** A worker that runs this module, once it is ready. */
const worker = () =>
  new Promise((resolve, reject) => {
    const made = new Worker(new URL(import.meta.url), { workerData: { args: [way, count, loader], cells } });
    made.once('message', () => resolve(made)).once('error', reject);
  });

const zeromq = async () => (await import(loader)).default('zeromq');

const ways = {
  async feed() {
    const feed = new Feed({ capacity: CAPACITY, maxMessageBytes: BYTES, overflow: 'block' });
    await feed.consumeWith({
      filename: new URL('../consumers/sum.mjs', import.meta.url),
      workers: 1,
      workerData: cells,
      stuckAfterMs: 0,
    });
    return {
      start: () => loadProducer().push(feed.address, messages, BYTES),
      stop: () => feed.close(),
    };
  },
  async function() {
    const made = await worker();
    return { start: () => made.postMessage('start'), stop: () => made.terminate() };
  },
  async zeromq() {
    const { Push } = await zeromq();
    const socket = new Push({ sendHighWaterMark: CAPACITY });
    await socket.bind('inproc://messages');
    const made = await worker();
    const message = Buffer.alloc(BYTES);
    return {
      async start() {
        for (let i = 0; i < messages; i++) {
          message.writeUInt32LE(i);
          await socket.send(message);
        }
      },
      async stop() {
        await new Promise((resolve) => {
          made.once('exit', resolve);
          made.postMessage('stop');
        });
        socket.close();
      },
    };
  },
};

const inWorker = {
  function(port) {
    port.once('message', () => loadProducer().call(see, messages, BYTES));
  },
  async zeromq(port) {
    const { Pull } = await zeromq();
    const socket = new Pull({ receiveHighWaterMark: CAPACITY });
    socket.connect('inproc://messages');
    port.once('message', () => socket.close());
    port.postMessage('ready');
    for await (const [message] of socket) see(message);
  },
};

if (isMainThread) {
  cells[0] = messages;
  const { start, stop } = await ways[way]();
  const began = performance.now();
  await start();
  await seenAll();
  const ns = ((performance.now() - began) * 1e6) / messages;
  await stop();
  console.log(JSON.stringify({ ns }));
} else {
  const { parentPort } = await import('node:worker_threads');
  await inWorker[way](parentPort);
  if (way !== 'zeromq') parentPort.postMessage('ready');
}
