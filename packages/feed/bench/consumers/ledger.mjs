// Writes down what it sees: the newest quote of each symbol, and its trades, which must come one after the other. Takes
// 20 µs a message. A message begins with three numbers: symbol, number among the symbol's quotes or trades, 1 for a trade.
//   workerData: { quotes: Int32Array, trades: Int32Array (by symbol), counts: Int32Array [quotes, trades, out of order] }
import { performance } from 'node:perf_hooks';

const HANDLER_MS = 0.02;

export default {
  batch(batch, { workerData: { quotes, trades, counts } }) {
    for (let i = 0; i < batch.length; i++) {
      const until = performance.now() + HANDLER_MS;
      const at = batch.offset(i);
      const symbol = batch.view.getUint32(at, true);
      const number = batch.view.getUint32(at + 4, true);
      const isTrade = batch.view.getUint32(at + 8, true) === 1;
      const kind = isTrade ? trades : quotes;
      counts[isTrade ? 1 : 0]++;
      // Of quotes some are left out; of trades none, unless the producer was told so.
      if (number <= kind[symbol] && kind[symbol] !== 0) counts[2]++;
      kind[symbol] = number;
      while (performance.now() < until);
    }
  },
};
