// Runs on each worker. A message is u32 number, f64 price; its key is the symbol.
import { performance } from 'node:perf_hooks';

const newest = new Map();

export default {
  batch(batch, { workerData: { handled, handlerUs } }) {
    for (let i = 0; i < batch.length; i++) {
      newest.set(batch.key(i), batch.view.getFloat64(batch.offset(i) + 4, true));
      // Stands for what your handler does.
      const until = performance.now() + handlerUs / 1000;
      while (performance.now() < until);
    }
    Atomics.add(handled, 0, batch.length);
  },
};
