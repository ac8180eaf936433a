// push-cost.mjs awake|asleep|ring MESSAGES: what a push of 64 bytes costs a native thread while the consumer is at work, or
// when each one finds it asleep and wakes it; ring: what waking a thread costs by itself. Prints quantiles in nanoseconds, without those of reading the clock.
import { Feed } from '@millrace/feed';
import { loadProducer, resultOf } from '../producer.mjs';

const BYTES = 64;
// A handler of 2 µs a message is never done with what comes every 1.5 µs, and capacity is ample.
const states = { awake: { gapNs: 1500, handlerUs: 2 }, asleep: { gapNs: 100_000, handlerUs: 0 } };

const [state, count] = process.argv.slice(2);
const messages = Number(count);
const producer = loadProducer();
const print = ({ p50, p99, clockNs }) => console.log(JSON.stringify({ p50: p50 - clockNs, p99: p99 - clockNs }));

if (state === 'ring') {
  producer.wake(messages, states.asleep.gapNs);
  print(await resultOf(producer, () => undefined, 50));
  process.exit();
}

const { gapNs, handlerUs } = states[state];
const feed = new Feed({
  capacity: messages,
  maxMessageBytes: BYTES,
  maxBytes: messages * BYTES + 2 ** 16,
  overflow: 'drop-newest',
});
await feed.consumeWith({
  filename: new URL('../consumers/busy.mjs', import.meta.url),
  workers: 1,
  workerData: handlerUs,
  stuckAfterMs: 0,
});

// Memory that was never used before costs a page fault each 64 messages: the first filling is not timed.
const filling = Buffer.alloc(BYTES);
for (let i = 0; i < messages; i++) feed.push(filling);
await feed.drain();

producer.time(feed.address, messages, BYTES, gapNs);
const result = await resultOf(producer, () => undefined, 50);
if (result.accepted !== messages) throw new Error(`${messages - result.accepted} messages were refused`);
await feed.close();
print(result);
