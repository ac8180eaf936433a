/** What a worker thread of a server runs: loads the handler's module, attaches, and tells its server. */
import { parentPort, workerData as received } from 'node:worker_threads';
import type { Framing } from '@millrace/framing';
import { packError, type ErrorMessage } from './error-message.js';
import { loadHandler } from './load-handler.js';
import { ReportGate } from './report-gate.js';
import type { ConnectionInfo } from './types.js';
import { WorkerContextImpl } from './worker-context.js';
import { WorkerRuntime } from './worker-runtime.js';

/** @internal Main to worker, at its start. */
export interface WorkerStart {
  readonly token: { readonly id: number; readonly nonce: number };
  readonly workerIndex: number;
  readonly handler: string;
  readonly framing: Framing;
  readonly inboxCapacity: number;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly workerData: unknown;
  readonly reports: SharedArrayBuffer;
}

/** @internal Worker to main. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: ErrorMessage }
  | { readonly type: 'stopFailed'; readonly error: ErrorMessage }
  | { readonly type: 'handlerError'; readonly error: ErrorMessage; readonly info: ConnectionInfo };

async function main(start: WorkerStart): Promise<void> {
  const port = parentPort!;
  const gate = new ReportGate(start.reports);
  const context = new WorkerContextImpl(start.workerIndex, start.workerData);
  const handler = await loadHandler(start.handler);
  const runtime = new WorkerRuntime({
    ...start,
    handler,
    onHandlerError: (error, info) => {
      if (gate.enter())
        port.postMessage({ type: 'handlerError', error: packError(error), info } satisfies WorkerMessage);
    },
  });
  context.attach(runtime);
  await handler.start?.(context);
  const stop = async (): Promise<void> => {
    context.abort();
    try {
      await handler.stop?.(context);
    } catch (error) {
      port.postMessage({ type: 'stopFailed', error: packError(error) } satisfies WorkerMessage);
    }
    runtime.detach();
    port.close();
  };
  port.on('message', (message: 'stop') => void (message === 'stop' && stop()));
  port.postMessage({ type: 'ready' } satisfies WorkerMessage);
  runtime.begin();
}

main(received as WorkerStart).catch((error: unknown) => {
  parentPort!.postMessage({ type: 'failed', error: packError(error) } satisfies WorkerMessage);
  parentPort!.close();
});
