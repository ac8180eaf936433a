import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bench } from '../../../scripts/bench/bench.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { debianPeer, debianVersion } from '../../../scripts/bench/debian.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { npmPeers } from '../../../scripts/bench/npm-peers.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import * as contenders from './contenders.mjs';

const BLOCKED = 8;
const flags = { 'rigtorp-headers': { type: 'string' } };
const usage = `  --rigtorp-headers P  the folder with rigtorp/SPSCQueue.h, to compare with it`;
const packages = [
  'libboost-dev',
  'libboost1.81-dev',
  'libconcurrentqueue-dev',
  'libreaderwriterqueue-dev',
  'libtbb-dev',
];

/** Percent of one processor that blocked consumers use together. */
async function idlePercent(workers) {
  const used = () =>
    workers.reduce((sum, { task }) => sum + Number(readFileSync(`/proc/${task}/schedstat`, 'utf8').split(' ')[0]), 0);
  const [start, before] = [performance.now(), used()];
  await sleep(500);
  return ((used() - before) / ((performance.now() - start) * 1e6)) * 100;
}

async function measureThreads(context) {
  const { 'ringbuf.js': ringbuf } = await npmPeers({ 'ringbuf.js': '0.4.0' }, context);
  const [many, some] = context.quick ? [20_000, 2_000] : [500_000, 20_000];
  const here = {
    ring: await contenders.ring(many),
    queue: await contenders.queue(many),
    postMessage: await contenders.postMessage(some),
  };
  const list = Object.entries(here).map(([name, { sample }]) => ({ name, sample }));
  if (ringbuf.missing === undefined) {
    for (const batch of [1, 32]) {
      // Its consumer polls all the time: it may not run while others are measured.
      const sample = async () => {
        const it = await contenders.ringbuf(ringbuf, context.quick ? 3200 : 96_000, batch);
        await it.sample();
        const value = await it.sample();
        await it.worker.terminate();
        return value;
      };
      list.push({ name: `ringbuf ${batch}`, sample });
    }
  }
  const blocked = await Promise.all(Array.from({ length: BLOCKED }, () => contenders.queue(1)));
  list.push({ name: 'idle', sample: () => idlePercent(blocked) });
  const samples = await measureRounds(list, context);
  await Promise.all([...Object.values(here), ...blocked].map(({ worker }) => worker.terminate()));

  const peer = (name, key, missing) => ({ name, samples: samples.get(key), missing });
  const posted = peer('postMessage', 'postMessage');
  const rings = [1, 32].map((batch) =>
    peer(batch === 1 ? 'ringbuf.js' : 'ringbuf.js, 32 in one push', `ringbuf ${batch}`, ringbuf.missing),
  );
  const what = (kind) => `${kind}, 64 B, main to worker, batches`;
  const [ring, queue] = [samples.get('ring'), samples.get('queue')];
  return [
    { what: what('SpscRing'), ours: ring, peer: posted, goal: { atLeast: 40 } },
    { what: what('MpmcQueue'), ours: queue, peer: posted, goal: { atLeast: 25 } },
    { what: what('SpscRing'), ours: ring, peer: rings[0], goal: { atLeast: 4 } },
    { what: what('SpscRing'), ours: ring, peer: rings[1], goal: {} },
    {
      what: `${BLOCKED} blocked consumers`,
      ours: samples.get('idle'),
      unit: '% of a processor',
      goal: { atMost: 0.01 },
    },
  ].map(({ goal, ...row }) => (Object.keys(goal).length > 0 ? { ...row, goal } : row));
}

async function measureNative(context) {
  const headers = context.flags['rigtorp-headers'];
  if (headers !== undefined) process.env.MILLRACE_BENCH_HEADERS = headers;
  const options = { value: 'ns_per_item' };
  const spsc = await nativeSamples('spsc_ring', context, options);
  const mpmc = await nativeSamples('mpmc_queue', context, options);
  const of = (samples, key) => samples.get(key);
  const rigtorp = (key) => ({
    name: 'rigtorp SPSCQueue',
    samples: of(spsc, `rigtorp/${key}`),
    missing: 'needs --rigtorp-headers',
  });
  const debian = (samples, name, debianPackage, key) => debianPeer(name, debianPackage, of(samples, key));
  const spscRow = (what, ours, key, peer, goal) => ({
    what,
    ours: of(spsc, `${ours}/${key}`),
    peer,
    ...(goal && { goal }),
  });
  const mpmcRow = (what, key, peer, goal) => ({ what, ours: of(mpmc, `ours/${key}`), peer, ...(goal && { goal }) });
  const boostSpsc = (key) => debian(spsc, 'boost spsc_queue', 'libboost-dev', `boost/${key}`);
  const reader = (key) => debian(spsc, 'ReaderWriterQueue', 'libreaderwriterqueue-dev', `readerwriterqueue/${key}`);
  const moodycamel = (key) => debian(mpmc, 'moodycamel, tokens', 'libconcurrentqueue-dev', `moodycamel/${key}`);
  const tbb = (key) => debian(mpmc, 'oneTBB bounded', 'libtbb-dev', `tbb/${key}`);
  const boost = (key) => debian(mpmc, 'boost queue', 'libboost-dev', `boost/${key}`);
  return [
    spscRow('SpscCursor, one by one', 'cursor_one', '1/1', rigtorp('1/1'), { atMost: 0.6 }),
    spscRow('SpscCursor, one by one', 'cursor_one', '1/1', boostSpsc('1/1')),
    spscRow('SpscCursor, one by one', 'cursor_one', '1/1', reader('1/1')),
    spscRow('SpscCursor that wakes sleepers, one by one', 'cursor_one_wakes', '1/1', rigtorp('1/1')),
    spscRow('SpscCursor, batches of 32', 'cursor', '1/32', rigtorp('1/32'), { atMost: 0.6 }),
    spscRow('SpscCursor, batches of 32', 'cursor', '1/32', boostSpsc('1/32'), { atMost: 0.7 }),
    spscRow('SpscCursor that wakes sleepers, batches of 32', 'cursor_wakes', '1/32', boostSpsc('1/32')),
    spscRow('SpscRing (records), batches of 32', 'ring', '1/32', boostSpsc('1/32')),
    mpmcRow('MpmcQueue, 1 to 1', '1/1', moodycamel('1/1'), { atMost: 0.6 }),
    mpmcRow('MpmcQueue, 2 to 2', '2/1', moodycamel('2/1'), { atMost: 0.9 }),
    mpmcRow('MpmcQueue, 1 to 1', '1/1', tbb('1/1'), { atMost: 0.3 }),
    mpmcRow('MpmcQueue, 2 to 2', '2/1', tbb('2/1'), { atMost: 0.3 }),
    mpmcRow('MpmcQueue, 1 to 1', '1/1', boost('1/1')),
    mpmcRow('MpmcQueue, 2 to 2', '2/1', boost('2/1')),
    mpmcRow('MpmcQueue, 1 to 1, batches of 32', '1/32', moodycamel('1/32')),
  ];
}

await bench(
  import.meta.url,
  'queue',
  async (context) => {
    const threads = await measureThreads(context);
    const native = await measureNative(context);
    const versions = packages
      .map((name) => [name, debianVersion(name)])
      .filter(([, version]) => version !== undefined)
      .map(([name, version]) => `${name} ${version}`);
    const sections = [
      `JavaScript: a message from the main thread to a worker.\n\n${renderComparison(threads)}`,
      `C++: a 64-bit word from thread to thread, a processor for each side.\n\n${renderComparison(native)}`,
    ];
    return { versions: ['ringbuf.js 0.4.0', ...versions], sections };
  },
  { flags, usage, rounds: 9 },
);
