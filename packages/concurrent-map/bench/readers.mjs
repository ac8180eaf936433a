// What reads a key of a million: contenders for measureRounds(), all with the same keys in the same order.
import { ConcurrentMap } from '@millrace/concurrent-map';
import { timed } from '../../../scripts/bench/timed.mjs';

const SIDE = 1000;
const KEYS = SIDE * SIDE;
const BATCH = 256;

/** Keys as 32-bit halves, of which the high ones have 20 bits, so that the whole is also a safe integer. */
function keysInRandomOrder(random) {
  const distinct = (bits) => {
    const found = new Set();
    while (found.size < SIDE) found.add(Math.floor(random() * 2 ** bits));
    return [...found];
  };
  const [highs, lows] = [distinct(20), distinct(32)];
  const keys = { high: new Uint32Array(KEYS), low: new Uint32Array(KEYS) };
  const order = Uint32Array.from({ length: KEYS }, (_, i) => i);
  for (let i = KEYS - 1; i > 0; i -= 1) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  order.forEach((place, i) => {
    keys.high[i] = highs[Math.floor(place / SIDE)];
    keys.low[i] = lows[place % SIDE];
  });
  return keys;
}

/** @param {{ random: () => number }} context */
export function readers({ random }) {
  const { high, low } = keysInRandomOrder(random);
  const numbers = Float64Array.from(high, (word, i) => word * 2 ** 32 + low[i]);
  const bigints = BigUint64Array.from(numbers, (key) => BigInt(key));
  const map = new ConcurrentMap({ key: 'u64', value: 'f64', maxBytes: 256 << 20 });
  const [nested, strings, bigintMap] = [new Map(), new Map(), new Map()];
  for (let i = 0; i < KEYS; i += 1) {
    map.set(numbers[i], i);
    if (!nested.has(high[i])) nested.set(high[i], new Map());
    nested.get(high[i]).set(low[i], i);
    strings.set(`${high[i]}:${low[i]}`, i);
    bigintMap.set(bigints[i], i);
  }
  const batches = Array.from({ length: Math.floor(KEYS / BATCH) }, (_, i) => {
    return bigints.subarray(i * BATCH, (i + 1) * BATCH);
  });
  const out = new Float64Array(BATCH);
  // Where each contender goes on reading, and what it read, which must not be left out as unused.
  const at = { batch: 0, number: 0, bigint: 0, nested: 0, string: 0, bigintMap: 0 };
  let sum = 0;

  // A loop of its own for each: see timed().
  const bodies = {
    getMany: (count) => {
      for (let done = 0; done < count; done += BATCH) {
        if (map.getMany(batches[at.batch], out) !== BATCH) throw new Error('a key is missing');
        at.batch = (at.batch + 1) % batches.length;
        sum += out[0];
      }
    },
    'get, number': (count) => {
      for (let i = 0; i < count; i += 1) {
        sum += map.get(numbers[at.number]);
        at.number = (at.number + 1) % KEYS;
      }
    },
    'get, bigint': (count) => {
      for (let i = 0; i < count; i += 1) {
        sum += map.get(bigints[at.bigint]);
        at.bigint = (at.bigint + 1) % KEYS;
      }
    },
    'nested Map': (count) => {
      for (let i = 0; i < count; i += 1) {
        sum += nested.get(high[at.nested]).get(low[at.nested]);
        at.nested = (at.nested + 1) % KEYS;
      }
    },
    'string Map': (count) => {
      for (let i = 0; i < count; i += 1) {
        sum += strings.get(`${high[at.string]}:${low[at.string]}`);
        at.string = (at.string + 1) % KEYS;
      }
    },
    'bigint Map': (count) => {
      for (let i = 0; i < count; i += 1) {
        sum += bigintMap.get(bigints[at.bigintMap]);
        at.bigintMap = (at.bigintMap + 1) % KEYS;
      }
    },
  };
  const checked = () => {
    if (Number.isNaN(sum)) throw new Error('a key is missing');
    sum = 0;
  };
  return Object.entries(bodies).map(([name, body]) => ({ name, sample: timed(body, { after: checked }) }));
}
