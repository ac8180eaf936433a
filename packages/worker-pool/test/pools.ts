import path from 'node:path';
import { type AnyTasks, WorkerPool, type WorkerPoolOptions } from '@millrace/worker-pool';

export const tasksFile = path.join(__dirname, 'tasks', 'tasks.mjs');
const open: WorkerPool[] = [];

/** A pool over tasks.mjs that is closed after the test. */
export function newPool(options: Partial<WorkerPoolOptions> = {}): WorkerPool<AnyTasks> {
  const pool = new WorkerPool({ filename: tasksFile, workers: 1, spares: 0, ...options });
  open.push(pool);
  return pool;
}

export async function closePools(): Promise<void> {
  await Promise.all(open.splice(0).map((pool) => pool.close({ timeoutMs: 0 })));
}

/** Words that tests and tasks share: what they are for stands in tasks.mjs. */
export class Gate {
  readonly words = new Int32Array(new SharedArrayBuffer(16));
  readonly workerData = { gate: this.words };

  open(): void {
    Atomics.store(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }

  /** How many tasks have come to it, when it is at least so many. */
  begun(count = 1): Promise<number> {
    return this.#reaches(1, count);
  }

  /** What the task said at its end. */
  ended(): Promise<number> {
    return this.#reaches(2, 1);
  }

  async #reaches(index: number, least: number): Promise<number> {
    for (;;) {
      const value = Atomics.load(this.words, index);
      if (value >= least) return value;
      // A turn of this event loop: what the worker does meanwhile may concern the pool too.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

export class Ledger {
  readonly workerData: { begun: Int32Array; order: Int32Array };

  constructor(tasks: number) {
    this.workerData = {
      begun: new Int32Array(new SharedArrayBuffer(tasks * 4)),
      order: new Int32Array(new SharedArrayBuffer((tasks + 1) * 8)),
    };
  }

  /** How often each was begun. */
  get begun(): number[] {
    return [...this.workerData.begun];
  }

  /** Which were begun, in that order. */
  get order(): number[] {
    const { order } = this.workerData;
    return [...order.subarray(1, 1 + order[0]!)];
  }
}

/** What a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('it did not fail');
}
