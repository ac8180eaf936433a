import path from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { errors } from './errors.js';
import type { FeedKeyKind, SharedToken, WorkerOptions, WorkerReport } from './types.js';
import { errorOf, type FromWorker, type ToWorker, type WorkerStart } from './worker-protocol.js';

export interface ThreadEvents {
  ready(): void;
  /** A batch failed; the worker goes on. */
  failed(error: Error, suppressed: number): void;
  exited(): void;
}

export interface ThreadPlace {
  token: SharedToken<'feed', FeedKeyKind>;
  ticket: number;
  workerIndex: number;
  module: string;
}

/** One worker thread from its start to its exit, and why it ended. */
export class WorkerThread {
  state: 'starting' | 'ready' | 'stopped' | 'exited' = 'starting';
  /** Known once it has exited; before that as far as it is known. */
  reason: NonNullable<WorkerReport['reason']> = 'exit';
  error: Error | undefined;
  /** Settles when it has exited. */
  readonly exit: Promise<void>;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #events: ThreadEvents;
  #silentSince: number | undefined;
  #terminated = false;

  constructor(place: ThreadPlace, options: WorkerOptions, events: ThreadEvents) {
    this.#events = events;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const start: WorkerStart = { ...place, workerData: options.workerData, port: port2 };
    const { resourceLimits, env, execArgv } = options;
    this.#worker = new Worker(path.join(__dirname, 'worker-main.js'), {
      workerData: start,
      transferList: [port2],
      name: `millrace feed ${place.workerIndex}`,
      ...(resourceLimits && { resourceLimits }),
      ...(env && { env }),
      ...(execArgv && { execArgv }),
    });
    port1.on('message', (message: FromWorker) => this.#receive(message));
    // The thread keeps the process alive, its mail does not.
    port1.unref();
    this.#worker.on('error', (error: Error) => this.#died(error));
    this.exit = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#exited(code);
        resolve();
      });
    });
  }

  /** What has come and was not delivered, because the event loop does not turn. */
  receivePending(): void {
    for (let mail = receiveMessageOnPort(this.#port); mail !== undefined; mail = receiveMessageOnPort(this.#port)) {
      this.#receive(mail.message as FromWorker);
    }
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.state = 'ready';
        this.#events.ready();
        break;
      case 'not-started':
        this.#died(errorOf(message.error));
        this.terminate();
        break;
      case 'failed':
        this.#send({ type: 'reported' });
        this.#events.failed(errorOf(message.error), message.suppressed);
        break;
      case 'alive':
        this.#silentSince = undefined;
        break;
      case 'stopped':
        this.state = 'stopped';
        this.terminate();
    }
  }

  #died(error: Error): void {
    this.error = error;
    this.reason = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'error';
  }

  #exited(code: number): void {
    // What it said before it ended comes first.
    this.receivePending();
    if (this.state !== 'stopped' && this.reason === 'exit') this.error ??= errors.workerExit(code);
    this.state = 'exited';
    this.#port.close();
    this.#events.exited();
  }

  #send(message: ToWorker): void {
    if (this.state !== 'exited') this.#port.postMessage(message);
  }

  /** Milliseconds since its event loop was asked for an answer that has not come. */
  silentMs(now: number): number {
    if (this.#silentSince === undefined) {
      this.#silentSince = now;
      this.#send({ type: 'alive?' });
    }
    return now - this.#silentSince;
  }

  terminate(): void {
    if (this.#terminated) return;
    this.#terminated = true;
    void this.#worker.terminate();
  }

  holdLoop(hold: boolean): void {
    if (hold) this.#worker.ref();
    else this.#worker.unref();
  }
}
