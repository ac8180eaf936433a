// conflate.mjs MESSAGES SEED | conflate.mjs RECORDING SPEED: quotes and trades of a generator or of a recording go through
// a feed that conflates quotes, to one worker that takes 20 µs for each. Prints what became of them.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Feed } from '@millrace/feed';
import { randomFrom } from '../../../../scripts/bench/statistics.mjs';
import { imbalance } from '../memory.mjs';

const SYMBOLS = 1000;
const HEAD_BYTES = 12;
const TRADES_EVERY = 50;
/** Of the generator: ten times what the handler can take. */
const PER_SECOND = 500_000;
const SLICE = 256;

/** Yields [due ms, symbol, is a trade, bytes]. */
function* synthetic(messages, seed) {
  const random = randomFrom(seed);
  for (let i = 0; i < messages; i++) {
    const bytes = 20 + Math.floor(random() * 200);
    yield [(i * 1000) / PER_SECOND, Math.floor(random() * SYMBOLS), i % TRADES_EVERY === 0, bytes];
  }
}

/** Lines of "nanoseconds {json}": best quotes of a stream are conflated, trades and changes of depth are not. */
function* recorded(file, speed) {
  const bytes = file.endsWith('.gz') ? gunzipSync(readFileSync(file)) : readFileSync(file);
  const symbols = new Map();
  let first;
  for (let from = 0, end; (end = bytes.indexOf(10, from)) >= 0; from = end + 1) {
    const head = bytes.latin1Slice(from, Math.min(end, from + 80));
    const [, ns, symbol, stream] = /^(\d+) \{"stream":"([^@"]+)@([^"]+)"/.exec(head) ?? [];
    if (ns === undefined) continue;
    first ??= BigInt(ns);
    if (!symbols.has(symbol)) symbols.set(symbol, symbols.size);
    const dueMs = Number(BigInt(ns) - first) / 1e6 / speed;
    yield [dueMs, symbols.get(symbol), stream !== 'bookTicker', end - from - ns.length - 1];
  }
}

const [what, number] = process.argv.slice(2);
const isFile = Number.isNaN(Number(what));
const messages = [...(isFile ? recorded(what, Number(number)) : synthetic(Number(what), Number(number)))];
const largest = messages.reduce((most, [, , , bytes]) => Math.max(most, bytes), 0) + HEAD_BYTES;

const numbers = (length) => new Int32Array(new SharedArrayBuffer(length * 4));
const seen = { quotes: numbers(SYMBOLS), trades: numbers(SYMBOLS), counts: numbers(3) };
const feed = new Feed({
  capacity: 2 ** 16,
  maxMessageBytes: largest,
  maxBytes: 2 ** 28,
  overflow: 'conflate',
  key: 'u64',
});
await feed.consumeWith({
  filename: new URL('../consumers/ledger.mjs', import.meta.url),
  workers: 1,
  workerData: seen,
});

const sent = { quotes: numbers(SYMBOLS), trades: numbers(SYMBOLS), counts: [0, 0] };
const message = Buffer.alloc(largest);
const began = performance.now();
let refused = 0;
let at = 0;
for (const [dueMs, symbol, isTrade, bytes] of messages) {
  while (performance.now() - began < dueMs);
  const kind = isTrade ? sent.trades : sent.quotes;
  const order = ++kind[symbol];
  message.writeUInt32LE(symbol, 0);
  message.writeUInt32LE(order, 4);
  message.writeUInt32LE(isTrade ? 1 : 0, 8);
  // The low half chooses the worker; the high half is 0 for quotes, and no other message's for the rest.
  const key = ((isTrade ? BigInt(at) + 1n : 0n) << 32n) | BigInt(symbol);
  if (!feed.push(message.subarray(0, HEAD_BYTES + bytes), key)) refused++;
  sent.counts[isTrade ? 1 : 0]++;
  if (++at % SLICE === 0) await turn();
}
const tookMs = performance.now() - began;
const unbalanced = imbalance(feed.stats());
await feed.drain();
const { conflated, delivered, failed, offered } = feed.stats();
await feed.close();

const stale = seen.quotes.filter((newest, symbol) => newest !== sent.quotes[symbol]).length;
const [quotesSeen, tradesSeen, outOfOrder] = seen.counts;
console.log(
  JSON.stringify({
    messages: messages.length,
    perSecond: messages.length / (tookMs / 1000),
    keys: sent.quotes.filter((count) => count > 0).length,
    stale,
    quotes: sent.counts[0],
    quotesSeen,
    trades: sent.counts[1],
    tradesSeen,
    outOfOrder,
    refused,
    conflated,
    failed,
    lost: offered - delivered - conflated - failed - refused,
    unbalanced,
  }),
);
