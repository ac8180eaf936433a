// Runs on each worker: the last price of every instrument, and how often it was told. The layout is the vendor's Quote:
// u32 instrument, u32 number, i64 sent, f64 price.
import { performance } from 'node:perf_hooks';

export default {
  batch(batch, { workerData: { prices, handled, handlerUs } }) {
    for (let i = 0; i < batch.length; i++) {
      const at = batch.offset(i);
      prices[batch.view.getUint32(at, true)] = batch.view.getFloat64(at + 16, true);
      // Stands for what your handler does.
      const until = performance.now() + handlerUs / 1000;
      while (performance.now() < until);
    }
    Atomics.add(handled, 0, batch.length);
  },
};
