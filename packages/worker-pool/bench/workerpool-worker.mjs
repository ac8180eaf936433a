// workerpool's own kind of worker, which registers its functions.
import { workerData } from 'node:worker_threads';
import trivial, { work } from './tasks.mjs';

const { default: load } = await import(workerData.loader);
const { default: workerpool } = await load('workerpool');
workerpool.worker({ default: trivial, work });
