// way.mjs inside|function|array|feed OPTIONS: one way of handling what the vendor's library calls back with. Tells the parent
// once a second what memory and queues do, and is ended by it: threads that hang in a callback have no orderly end.
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { performance } from 'node:perf_hooks';
import { Feed } from '@millrace/feed';
import { handle } from './handler.mjs';

const SLICE = 256;

const vendor = createRequire(import.meta.url)('@millrace/native').loadAddon(import.meta.dirname);
const [name, json] = process.argv.slice(2);
const options = JSON.parse(json);
const { handlerUs, seconds } = options;
/** [handled, age of the latest in ms] */
const told = new Float64Array(new SharedArrayBuffer(16));

function handleBuffer(buffer) {
  told[1] = handle(new DataView(buffer.buffer, buffer.byteOffset, buffer.length), 0, handlerUs);
  told[0]++;
}

/** Each starts the library and answers how to count the messages that wait on our side of it. */
const ways = {
  inside() {
    vendor.inside(handleBuffer, options);
    return () => 0;
  },
  function() {
    vendor.queued(handleBuffer, options);
    return () => vendor.figures().queued;
  },
  array() {
    const emitter = new EventEmitter();
    const waiting = [];
    let scheduled = false;
    const work = () => {
      for (const buffer of waiting.splice(0, SLICE)) handleBuffer(buffer);
      scheduled = waiting.length > 0;
      if (scheduled) setImmediate(work);
    };
    emitter.on('message', (buffer) => {
      waiting.push(buffer);
      if (scheduled) return;
      scheduled = true;
      setImmediate(work);
    });
    vendor.queued((buffer) => emitter.emit('message', buffer), options);
    return () => waiting.length + vendor.figures().queued;
  },
  async feed() {
    const feed = new Feed({ capacity: 8192, maxMessageBytes: 512, overflow: 'conflate', key: 'u32' });
    await feed.consumeWith({
      filename: new URL('./consumer.mjs', import.meta.url),
      workers: 1,
      workerData: { handlerUs, told },
    });
    vendor.feed(feed.address, options);
    return () => feed.stats().depth;
  },
};

const residentAtStart = process.memoryUsage.rss();
const waiting = await ways[name]();
const began = performance.now();
let next = 1;

// The main thread is what three of the ways keep busy: a timer would come late, but it comes.
const timer = setInterval(() => {
  if (performance.now() - began < next * 1000) return;
  next = Math.floor((performance.now() - began) / 1000) + 1;
  const { backlog, callbackP99Us, callbackMaxUs, sent } = vendor.figures();
  const second = (performance.now() - began) / 1000;
  const grown = process.memoryUsage.rss() - residentAtStart;
  const [handled, ageMs] = told;
  process.send({ second, grown, queue: backlog + waiting(), ageMs, handled, sent, callbackP99Us, callbackMaxUs });
  if (second >= seconds) clearInterval(timer);
}, 50);
