// npm run bench -- feed: what a hand-over costs beside its peers, what a push costs, and whether memory, counts and the
// policies hold when far more is offered than can be handled.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { bench } from '../../../scripts/bench/bench.mjs';
import { childSampler } from '../../../scripts/bench/child.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { numberOf, UsageError } from '../../../scripts/bench/flags.mjs';
import { npmPeers } from '../../../scripts/bench/npm-peers.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import { digits, table } from '../../../scripts/bench/table.mjs';
import { buildProducer } from './producer.mjs';

const ZEROMQ = '6.8.0';
const MEBIBYTE = 2 ** 20;
/** What RSS may grow by, as a share of the plan. */
const GROWTH_LIMIT = 1.05;

const program = (name) => path.join(import.meta.dirname, 'programs', `${name}.mjs`);
const count = (value) => (value < 1e4 ? String(value) : digits(value));

async function handOver(context) {
  const { quick, say } = context;
  const { zeromq } = await npmPeers({ zeromq: ZEROMQ }, { say });
  const scale = quick ? 0.1 : 1;
  const sampler = (way, messages, ...args) => {
    const sample = childSampler(program('hand-over'), [way, Math.round(messages * scale), ...args]);
    return { name: way, sample: async () => (await sample()).ns };
  };
  const contenders = [sampler('feed', 2e6), sampler('function', 2e5)];
  if (zeromq.missing === undefined) contenders.push(sampler('zeromq', 1e5, zeromq.loader));
  const samples = await measureRounds(contenders, context);
  const row = (name, way, missing) => ({
    what: 'native producer → handler on one worker, 64 B, a message',
    ours: samples.get('feed'),
    peer: { name, samples: samples.get(way), missing },
    goal: { atLeast: 10 },
  });
  return [
    row('a thread-safe function a message', 'function'),
    row(`zeromq.js ${ZEROMQ} inproc (producer in JavaScript)`, 'zeromq', zeromq.missing),
  ];
}

async function pushCost(context) {
  const scale = context.quick ? 0.1 : 1;
  const contender = (state, messages) => ({
    name: state,
    sample: childSampler(program('push-cost'), [state, Math.round(messages * scale)]),
  });
  const samples = await measureRounds(
    [contender('awake', 16_384), contender('asleep', 5e3), contender('ring', 5e3)],
    context,
  );
  const row = (what, state, quantile, goal) => ({
    what,
    ours: samples.get(state).map((sample) => sample[quantile]),
    goal: goal && { atMost: goal },
  });
  return [
    row('push, 64 B, native, nobody sleeps: median', 'awake', 'p50'),
    row('— 99th percentile', 'awake', 'p99', 100),
    row('push, 64 B, native, wakes a consumer: median', 'asleep', 'p50'),
    row('— 99th percentile', 'asleep', 'p99', 5000),
    row('for comparison, a write to an eventfd that wakes a thread: median', 'ring', 'p50'),
    row('— 99th percentile', 'ring', 'p99'),
  ];
}

async function overload({ say }, seconds) {
  const head = ['policy', 'offered', 'handled', 'conflated', 'dropped', 'RSS grew', 'plan', 'grew ÷ plan', 'holds'];
  const rows = [];
  for (const overflow of ['drop-newest', 'drop-oldest', 'conflate', 'sample', 'block']) {
    say(`overload: ${overflow}, ${seconds} s`);
    // The producer of `block` is slowed to what a faster handler takes, so that the rest is handled in the end too.
    const handlerUs = overflow === 'block' ? 3 : 1000;
    const sample = childSampler(program('overload'), [overflow, seconds, handlerUs], {
      limitMs: (seconds + 60) * 1000,
    });
    const { offered, delivered, conflated, dropped, grown, planned, ...found } = await sample();
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const balanced = found.unbalanced === 0 && found.left === 0 && !found.disagrees;
    const lossless = overflow !== 'block' || (delivered === offered && lost === 0 && found.failed === 0);
    const holds = balanced && lossless && grown <= GROWTH_LIMIT * planned;
    const mebibytes = (bytes) => `${digits(bytes / MEBIBYTE)} MiB`;
    const counts = [offered, delivered, conflated, lost].map(count);
    rows.push([
      overflow,
      ...counts,
      mebibytes(grown),
      mebibytes(planned),
      (grown / planned).toFixed(2),
      holds ? 'yes' : 'no',
    ]);
  }
  return table(head, rows, 1);
}

async function conflation({ quick, say, random }, recording) {
  const head = ['feed', 'a second', 'keys', 'quotes', 'handled', 'trades', 'handled', 'stale keys', 'holds'];
  const inputs = [['synthetic', quick ? 5e4 : 5e5, Math.floor(random() * 2 ** 32)]];
  if (recording !== undefined) inputs.push(['recording × 1000', recording, 1000]);
  const rows = [];
  for (const [name, ...args] of inputs) {
    say(`conflate: ${name}`);
    const found = await childSampler(program('conflate'), args)();
    const { quotes, quotesSeen, trades, tradesSeen, conflated } = found;
    const nothingElse = tradesSeen === trades && quotesSeen + conflated === quotes;
    const clean = ['stale', 'outOfOrder', 'refused', 'failed', 'lost', 'unbalanced'].every((key) => found[key] === 0);
    const counts = [Math.round(found.perSecond), found.keys, quotes, quotesSeen, trades, tradesSeen, found.stale].map(
      count,
    );
    rows.push([name, ...counts, nothingElse && clean ? 'yes' : 'no']);
  }
  return table(head, rows, 1);
}

const PARTS = ['hand-over', 'push', 'overload', 'conflate'];

function partsOf({ only }) {
  if (only === undefined) return PARTS;
  if (!PARTS.includes(only)) throw new UsageError(`--only must be one of ${PARTS.join(', ')}, got ${only}`);
  return [only];
}

await bench(
  import.meta.url,
  'feed',
  async (context) => {
    const { flags, quick, say } = context;
    const parts = partsOf(flags);
    const seconds = numberOf('--seconds', flags.seconds, { min: 1, max: 3600, fallback: quick ? 1 : 5 });
    if (flags.recording !== undefined && !existsSync(flags.recording)) {
      throw new UsageError(`--recording: there is no ${flags.recording}`);
    }
    await buildProducer(say);
    const rows = [];
    if (parts.includes('hand-over')) rows.push(...(await handOver(context)));
    if (parts.includes('push')) rows.push(...(await pushCost(context)));
    const sections = rows.length === 0 ? [] : [renderComparison(rows)];
    if (parts.includes('overload')) {
      const about =
        `1 M messages of 64 B a second offered by a native thread for ${seconds} s, to a handler of 1 ms a message ` +
        `(\`block\`: 3 µs). Holds: counts exact at each look and beside the producer's own, RSS growth at most the ` +
        `plan + 5 %, with \`block\` nothing lost.`;
      sections.push(about, await overload(context, seconds));
    }
    if (parts.includes('conflate')) {
      const about =
        'Quotes conflated by symbol, trades not, handler 20 µs. Holds: the last quote of every symbol was handled, ' +
        'each trade was, in order, and the counts are exact.';
      sections.push(about, await conflation(context, flags.recording));
    }
    return { sections };
  },
  {
    flags: { only: { type: 'string' }, seconds: { type: 'string' }, recording: { type: 'string' } },
    usage: `  --only PART        one of ${PARTS.join(', ')}
  --seconds N        how long each policy is overloaded (default 5; 60 for the long run)
  --recording FILE   replayed at 1000 times its speed: lines of "nanoseconds {json}", plain or .gz`,
  },
);
