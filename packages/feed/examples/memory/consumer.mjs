// The feed's worker. workerData: { handlerUs, told: Float64Array [handled, age of the latest in ms] }.
import { handle } from './handler.mjs';

export default {
  batch(batch, { workerData: { handlerUs, told } }) {
    for (let i = 0; i < batch.length; i++) told[1] = handle(batch.view, batch.offset(i), handlerUs);
    told[0] += batch.length;
  },
};
