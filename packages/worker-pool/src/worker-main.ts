// What a thread of a pool runs: loads the module of the tasks, opens its door, and runs what it is given.
import { workerData } from 'node:worker_threads';
import { reportOf } from './error-report.js';
import { Word } from './layout.js';
import type { ResultMessage, WorkerStart } from './protocol.js';
import { TaskModule } from './task-module.js';
import { WorkerLane } from './worker-lane.js';

const start = workerData as WorkerStart;

function failed(error: unknown): void {
  try {
    start.port.postMessage({ failed: reportOf(error) } satisfies ResultMessage);
  } catch {
    start.port.postMessage({ failed: reportOf(new Error(String(error))) } satisfies ResultMessage);
  }
  // What the module left open (a timer, a socket) would keep the thread.
  process.exit(1);
}

import(start.module).then((namespace: Record<string, unknown>) => {
  if (Atomics.load(new Int32Array(start.memory), Word.Dismissed) === 1) process.exit(0);
  new WorkerLane(start, new TaskModule(start.module, namespace)).open();
}, failed);
