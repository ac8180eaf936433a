// `npm run soak` builds the packages, then runs this: workers that use every shared structure are made and ended at
// random moments. Afterwards nothing may be left of them: no descriptor, no thread, no block, no record, no growth.
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { ConcurrentMap } from '@millrace/concurrent-map';
import { ObjectPool, record } from '@millrace/object-pool';
import { MpmcQueue, SpscRing } from '@millrace/queue';
import { SlabAllocator } from '@millrace/slab';
import { TimerWheel } from '@millrace/timer-wheel';
import { median, randomFrom } from '../bench/statistics.mjs';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '10000' },
    lanes: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
});
const [cycles, lanes, seed] = [values.cycles, values.lanes, values.seed].map(Number);
const LONGEST_LIFE_MS = 12;
const GROWTH_LIMIT_BYTES = 32 * 2 ** 20;

const random = randomFrom(seed);
const structures = {
  map: new ConcurrentMap({ key: 'string', value: 'f64', maxBytes: 1 << 20 }),
  pool: new ObjectPool(record({ id: 'u32', price: 'f64' }), { capacity: 4096 }),
  queue: new MpmcQueue({ capacity: 256, messageBytes: 256, overflow: 'drop-oldest' }),
  slab: new SlabAllocator({ maxBytes: 32 << 20 }),
  wheel: new TimerWheel({ capacity: 100_000 }),
};
structures.wheel.onExpire = () => {};
const rings = Array.from({ length: lanes }, () => new SpscRing({ capacity: 1 << 16 }));
const message = Buffer.alloc(300, 'x');

const openDescriptors = () => readdirSync('/proc/self/fd').length;
const threads = () => readdirSync('/proc/self/task').length;

let started = 0;
let caught = 0;
let failures = 0;
const samples = [];

async function lane(ring) {
  while (started < cycles) {
    started++;
    const state = new Int32Array(new SharedArrayBuffer(8));
    const tokens = Object.fromEntries(Object.entries(structures).map(([name, it]) => [name, it.share()]));
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), {
      workerData: { tokens: { ...tokens, ring: ring.share() }, state, seed: Math.floor(random() * 2 ** 31) },
    });
    let ended = false;
    worker.on('error', (error) => {
      failures++;
      console.error(error);
    });
    worker.on('exit', () => (ended = true));
    while (!ended && Atomics.load(state, 1) === 0) await delay(1);
    const until = performance.now() + random() * LONGEST_LIFE_MS;
    while (performance.now() < until) {
      while (ring.tryPush(message));
      structures.queue.tryPush(message.subarray(0, 200));
      await delay(0);
    }
    if (Atomics.load(state, 0) === 1) caught++;
    await worker.terminate();
    if (started % Math.max(1, Math.floor(cycles / 20)) === 0) {
      samples.push(process.memoryUsage.rss());
      console.log(
        `${started} of ${cycles}, ${caught} caught at work, RSS ${(samples.at(-1) / 2 ** 20).toFixed(1)} MiB`,
      );
    }
  }
}

console.log(`seed ${seed}, ${cycles} workers, ${lanes} at a time`);
// The first worker brings threads and descriptors that the process then keeps.
await new Worker('', { eval: true }).terminate();
const before = { descriptors: openDescriptors(), threads: threads() };
await Promise.all(rings.map(lane));
await delay(100); // The last timers: at most 50 ms ahead.

const third = Math.floor(samples.length / 3);
const growth = median(samples.slice(-third)) - median(samples.slice(third, 2 * third));
const left = {
  descriptors: openDescriptors() - before.descriptors,
  threads: threads() - before.threads,
  blocks: structures.slab.stats().inUseBytes,
  records: structures.pool.size,
  timers: structures.wheel.size,
};
// Who was ended between an allocation and its use owns nothing any more; what is in the queue is counted as such.
console.log({ ...left, growthMiB: +(growth / 2 ** 20).toFixed(1), caught, failures });
const { pushed, popped, dropped, depth } = structures.queue.stats();
const balanced = pushed === popped + dropped.oldest + depth;
console.log(
  balanced ? 'the queue balances' : `the queue does not balance: ${JSON.stringify(structures.queue.stats())}`,
);
const clean = Object.values(left).every((count) => count <= 0) && growth < GROWTH_LIMIT_BYTES;
const enough = caught * 2 >= cycles;
if (!enough) console.log('fewer than half of the workers were caught at work: this run proves little');
process.exitCode = clean && balanced && enough && failures === 0 ? 0 : 1;
for (const structure of [...Object.values(structures), ...rings]) structure.close();
