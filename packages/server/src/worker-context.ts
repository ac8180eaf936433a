import { makeError } from './errors.js';
import { checkPublish } from './publish-options.js';
import type { Payload, PublishOptions, WorkerContext } from './types.js';
import type { WorkerRuntime } from './worker-runtime.js';

/** What a handler's `start` is given. */
export class WorkerContextImpl implements WorkerContext {
  readonly #abort = new AbortController();
  #runtime: WorkerRuntime | undefined;

  constructor(
    readonly workerIndex: number,
    readonly workerData: unknown,
  ) {}

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  publish(topic: string, payload: Payload, options: PublishOptions = {}): number {
    const { key, framed } = checkPublish(topic, payload, options);
    if (this.#runtime === undefined || this.#abort.signal.aborted) {
      throw makeError('ERR_SERVER_CLOSED', 'The server is closed: publish before, not after');
    }
    return this.#runtime.outbound.publish(topic, payload, key, framed, undefined);
  }

  attach(runtime: WorkerRuntime): void {
    this.#runtime = runtime;
  }

  abort(): void {
    this.#abort.abort();
  }
}
