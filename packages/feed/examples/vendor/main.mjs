// A vendor's library calls back on its own thread, 10,000 times a second and ten times as often in bursts → feed → workers.
// Run it with `npm run demo -- vendor`. Prints a line a second.
//   --seconds N (default 10)   --per-second N (10000)   --burst N (100000, half a second out of two)
//   --handler-us N (20)   --workers N (2)
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Feed } from '@millrace/feed';

const { loadAddon } = createRequire(import.meta.url)('@millrace/native');
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    'per-second': { type: 'string', default: '10000' },
    burst: { type: 'string', default: '100000' },
    'handler-us': { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
  },
});
const instruments = 1000;
const vendor = loadAddon(import.meta.dirname);

// Quotes: a newer one of the same instrument takes the place of one that waits.
const feed = new Feed({ capacity: 16_384, maxMessageBytes: 256, overflow: 'conflate', key: 'u32' });
feed.on('slowPush', ({ elapsedUs }) => console.log(`a callback was held up for ${Math.round(elapsedUs)} µs`));
feed.on('stuck', ({ workerIndex }) => console.log(`worker ${workerIndex} hangs and is replaced`));

const prices = new Float64Array(new SharedArrayBuffer(8 * instruments));
const handled = new Int32Array(new SharedArrayBuffer(4));
await feed.consumeWith({
  filename: new URL('./consumer.mjs', import.meta.url),
  workers: Number(values.workers),
  workerData: { prices, handled, handlerUs: Number(values['handler-us']) },
});

const seconds = Number(values.seconds);
console.log(`memory plan: ${(feed.memoryPlan().totalBytes / 2 ** 20).toFixed(1)} MiB`);
vendor.start(feed.address, {
  perSecond: Number(values['per-second']),
  burstPerSecond: Number(values.burst),
  burstSeconds: 0.5,
  periodSeconds: 2,
  instruments,
  bytes: 128,
});
for (let second = 1; second <= seconds; second++) {
  await sleep(1000);
  const { offered, delivered, conflated, dropped, depth, pushNs, latencyNs } = feed.stats();
  console.log(
    `${String(second).padStart(3)} s  offered ${offered}  handled ${delivered}  conflated ${conflated}  ` +
      `refused ${dropped.newest}  waiting ${depth}  in the vendor's list ${vendor.backlog()}  ` +
      `push p99 ${pushNs.p99} ns  latency p99 ${(latencyNs.p99 / 1e6).toFixed(1)} ms`,
  );
}
vendor.stop();
await feed.close();

const { offered, delivered, failed, conflated, dropped, inFlight } = feed.stats();
const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0);
const exact = offered === delivered + failed + conflated + refused + inFlight;
console.log(
  `offered ${offered} = handled ${delivered} + failed ${failed} + conflated ${conflated} + refused ${refused}`,
);
console.log(`workers counted ${handled[0]}; every instrument has a price: ${prices.every((price) => price > 0)}`);
process.exitCode = exact && handled[0] === delivered ? 0 : 1;
