import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { newLaneMemory } from './layout.js';
import type { WorkerStart } from './protocol.js';
import { SupervisedThread } from './supervision/supervised-thread.js';
import { TaskLane } from './task-lane.js';
import type { WorkerOptions } from './types.js';

/** A thread of the pool, and the lane to it. */
export class PoolThread extends SupervisedThread {
  readonly lane: TaskLane;
  /** When the running task was given up by its caller. */
  overdueSince: number | undefined;
  /** It is to be recycled: nothing more is given to it. */
  retiring = false;

  constructor(
    start: Pick<WorkerStart, 'bell' | 'door' | 'module' | 'workerData'>,
    options: WorkerOptions,
    exited: (thread: PoolThread) => void,
  ) {
    const memory = newLaneMemory();
    const { port1, port2 } = new MessageChannel();
    const workerData: WorkerStart = { ...start, memory, port: port2, timeOrigin: performance.timeOrigin };
    super(
      {
        script: path.join(__dirname, 'worker-main.js'),
        name: 'millrace worker pool',
        workerData,
        transferList: [port2],
        options,
      },
      () => exited(this),
    );
    this.lane = new TaskLane(memory, port1);
  }
}
