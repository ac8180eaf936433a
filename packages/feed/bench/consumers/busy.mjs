// A handler that takes its time: workerData is how many microseconds a message costs it.
import { performance } from 'node:perf_hooks';

export default {
  batch(batch, { workerData: microseconds }) {
    for (let i = 0; i < batch.length; i++) {
      batch.offset(i);
      const until = performance.now() + microseconds / 1000;
      while (performance.now() < until);
    }
  },
};
