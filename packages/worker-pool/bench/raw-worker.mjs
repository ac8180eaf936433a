// The worker of the contender without a pool: a message for each task, a message for each result.
import { parentPort } from 'node:worker_threads';
import trivial, { work } from './tasks.mjs';

parentPort.on('message', ({ id, name, value }) => {
  parentPort.postMessage({ id, result: name === 'work' ? work(value) : trivial(value) });
});
