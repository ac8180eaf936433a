import { type TransferListItem, Worker } from 'node:worker_threads';
import { errors } from '../errors.js';
import type { WorkerOptions, WorkerReport } from '../types.js';

export interface ThreadStart {
  /** Absolute path of what the thread runs. */
  script: string;
  name: string;
  workerData: unknown;
  transferList: TransferListItem[];
  options: Pick<WorkerOptions, 'resourceLimits' | 'env' | 'execArgv'>;
}

/**
 * One worker thread from its start to its exit, and why it ended. For the thread that made it. Owns the `Worker`, which
 * never keeps the process alive. Costs an isolate: some 5 MiB and 20 ms of processor time.
 */
export class SupervisedThread {
  state: 'starting' | 'ready' | 'exited' = 'starting';
  /** Final once it has exited. */
  reason: NonNullable<WorkerReport['reason']> = 'exit';
  error: Error | undefined;
  /** Settles when it has exited. */
  readonly exit: Promise<void>;
  /** It is not to be given anything any more, and is being ended. */
  terminated = false;
  readonly #worker: Worker;

  constructor(start: ThreadStart, onExit: () => void) {
    const { resourceLimits, env, execArgv } = start.options;
    this.#worker = new Worker(start.script, {
      workerData: start.workerData,
      transferList: start.transferList,
      name: start.name,
      ...(resourceLimits && { resourceLimits }),
      ...(env && { env }),
      ...(execArgv && { execArgv }),
    });
    this.#worker.unref();
    this.#worker.on('error', (error: Error) => this.#died(error));
    this.exit = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        if (this.reason === 'exit') this.error ??= errors.exited(code);
        this.state = 'exited';
        onExit();
        resolve();
      });
    });
  }

  #died(error: unknown): void {
    this.error = error instanceof Error ? error : new Error(`thrown: ${String(error)}`);
    this.reason = (error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'error';
  }

  terminate(): void {
    if (this.terminated) return;
    this.terminated = true;
    void this.#worker.terminate();
  }
}
