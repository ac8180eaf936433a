// overload.mjs OVERFLOW SECONDS HANDLER_US: a native thread offers a million messages of 64 bytes a second to a handler
// that takes so many microseconds for each. Prints how far the memory grew beside the plan, and whether the counts hold.
import { Feed } from '@millrace/feed';
import { imbalance, residentBytes } from '../memory.mjs';
import { loadProducer, resultOf } from '../producer.mjs';

const BYTES = 64;
const CAPACITY = 2 ** 20;
const KEYS = 1000;
const PER_SECOND = 1e6;

const [overflow, seconds, handlerUs] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const feed = new Feed({
  capacity: CAPACITY,
  maxMessageBytes: BYTES,
  maxBytes: CAPACITY * BYTES + 2 ** 20,
  overflow,
  key: 'u32',
  ...(overflow === 'sample' && { sampleEvery: 100 }),
});
await feed.consumeWith({
  filename: new URL('../consumers/busy.mjs', import.meta.url),
  workers: 1,
  workerData: handlerUs,
});

const planned = feed.memoryPlan().totalBytes;
// What looking costs, and the worker's first batches, are no part of the feed.
const warmUp = new Uint8Array(BYTES);
for (let i = 0; i < 2000; i++) {
  feed.push(warmUp, i % KEYS);
  if (i % 100 === 0) await feed.drain();
  imbalance(feed.stats());
}
await feed.drain();
const before = feed.stats();

const residentBefore = residentBytes();
let residentMost = residentBefore;
let unbalanced = 0;
let looks = 0;
const look = () => {
  residentMost = Math.max(residentMost, residentBytes());
  if (imbalance(feed.stats()) !== 0) unbalanced++;
  looks++;
};
const producer = loadProducer();
producer.offer(feed.address, PER_SECOND, seconds, BYTES, KEYS);
const { offered, accepted, elapsedNs } = await resultOf(producer, look, 20);
look();
const under = feed.stats();
if (overflow === 'block') await feed.drain();
await feed.close({ timeoutMs: 0 });
const stats = feed.stats();

console.log(
  JSON.stringify({
    planned,
    grown: residentMost - residentBefore,
    looks,
    unbalanced,
    left: stats.inFlight,
    // The producer's own counts against the feed's.
    disagrees: offered !== stats.offered - before.offered || accepted !== stats.accepted - before.accepted,
    offered,
    perSecond: offered / (elapsedNs / 1e9),
    delivered: stats.delivered - before.delivered,
    failed: stats.failed,
    conflated: under.conflated - before.conflated,
    dropped: under.dropped,
    highWater: stats.highWater,
    pushP99Ns: under.pushNs.p99,
    pushMaxNs: under.pushNs.max,
  }),
);
