import { bench } from '../../../scripts/bench/bench.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { debianPeer } from '../../../scripts/bench/debian.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { npmPeers } from '../../../scripts/bench/npm-peers.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import { timed } from '../../../scripts/bench/timed.mjs';
import * as contenders from './contenders.mjs';
import { work } from './tasks.mjs';

const IN_FLIGHT = 1000;
const WORK_MS = 0.05;
const versions = { piscina: '5.3.2', tinypool: '2.2.0', workerpool: '10.0.3' };

// Of each contender's own source text, or the compiler optimises them as one.
const own = (text) => new Function('run', 'name', 'value', `return ${text}`);

const manyInFlight = own(`(count) => new Promise((resolve, reject) => {
  let started = 0;
  let ended = 0;
  const next = () => {
    if (started === count) return;
    started++;
    run(name, value).then(onEnd, reject);
  };
  const onEnd = () => {
    if (++ended === count) resolve();
    else next();
  };
  for (let i = 0; i < ${IN_FLIGHT}; i++) next();
})`);

const oneAtATime = own(`async (count) => {
  for (let i = 0; i < count; i++) await run(name, value);
}`);

/** Rounds of arithmetic that take as long as they should on this machine. */
function roundsOfWork() {
  let best = Infinity;
  const rounds = 100_000;
  for (let i = 0; i < 20; i++) {
    const start = performance.now();
    work(rounds);
    best = Math.min(best, performance.now() - start);
  }
  return Math.round((rounds * WORK_MS) / best);
}

const kinds = [
  { what: 'trivial tasks, 1000 in flight', body: manyInFlight, name: 'default', value: () => 1 },
  { what: '50 µs tasks, 1000 in flight', body: manyInFlight, name: 'work', value: roundsOfWork },
  { what: 'one trivial task at a time', body: oneAtATime, name: 'default', value: () => 1 },
];

/** millrace::ThreadPool beside the pools of C++. */
async function nativeRows(context) {
  if (context.flags['bs-headers'] !== undefined) process.env.MILLRACE_BENCH_HEADERS = context.flags['bs-headers'];
  const samples = await nativeSamples('thread_pool', context, { value: 'real_time' });
  const each = (name, count) => samples.get(name)?.map((time) => time / count);
  const bs = (name, count) => ({
    name: 'BS::thread_pool',
    samples: each(name, count),
    missing: 'give --bs-headers FOLDER',
  });
  const trivial = { what: 'C++: trivial tasks (post)', ours: each('trivial_millrace', 2 ** 15) };
  return [
    { ...trivial, peer: bs('trivial_bs', 2 ** 15), goal: { atMost: 0.5 } },
    { ...trivial, peer: debianPeer('oneTBB', 'libtbb-dev', each('trivial_tbb', 2 ** 15)) },
    {
      what: 'C++: futures (enqueue)',
      ours: each('futures_millrace', 2 ** 10),
      peer: bs('futures_bs', 2 ** 10),
    },
  ];
}

const better = { atLeast: 1 };
const shorter = { atMost: 1 };
const goals = [
  { piscina: { atLeast: 15 }, postMessage: { atLeast: 5 }, tinypool: better, workerpool: better },
  { piscina: better, postMessage: { atLeast: 0.95 }, tinypool: better, workerpool: better },
  { piscina: { atMost: 0.6 }, postMessage: shorter, tinypool: shorter, workerpool: shorter },
];

const flags = { 'bs-headers': { type: 'string' } };
const usage = '  --bs-headers FOLDER  with BS_thread_pool.hpp, to be compared with';

async function measure(context) {
  const peers = await npmPeers(versions, context);
  const pools = { '@millrace/worker-pool': contenders.millrace(), postMessage: contenders.raw() };
  for (const name of Object.keys(versions)) {
    if (peers[name].missing === undefined) pools[name] = await contenders[name](peers[name]);
  }
  const ms = context.quick ? 20 : 200;
  const names = Object.keys(pools);
  const list = kinds.flatMap(({ body, name, value }, kind) => {
    const argument = value();
    return names.map((pool) => ({
      name: `${kind} ${pool}`,
      sample: timed(body(pools[pool].run, name, argument), { ms }),
    }));
  });
  const samples = await measureRounds(list, context);
  await Promise.all(Object.values(pools).map((pool) => pool.close()));

  const rows = kinds.flatMap(({ what }, kind) =>
    ['piscina', 'postMessage', 'tinypool', 'workerpool'].map((peer) => ({
      what,
      ours: samples.get(`${kind} @millrace/worker-pool`),
      peer: { name: peer, samples: samples.get(`${kind} ${peer}`), missing: peers[peer]?.missing },
      goal: goals[kind][peer],
    })),
  );
  return {
    versions: Object.entries(versions).map(([name, version]) => `${name} ${version}`),
    sections: ['Two workers; nanoseconds a task.', renderComparison([...rows, ...(await nativeRows(context))])],
  };
}

await bench(import.meta.url, 'worker-pool', measure, { flags, usage });
