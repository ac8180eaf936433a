/** What a worker thread of a server runs: loads the handler's module, attaches, and tells its server. */
import { parentPort, workerData as received } from 'node:worker_threads';
import type { Framing } from '@millrace/framing';
import { loadHandler } from './load-handler.js';
import { ReportGate } from './report-gate.js';
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
  readonly workerData: unknown;
  readonly reports: SharedArrayBuffer;
}

/** @internal Worker to main. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly error: unknown }
  | { readonly type: 'handlerError'; readonly error: Error; readonly info: import('./types.js').ConnectionInfo };

async function main(start: WorkerStart): Promise<void> {
  const port = parentPort!;
  const gate = new ReportGate(start.reports);
  const context = new WorkerContextImpl(start.workerIndex, start.workerData);
  const handler = await loadHandler(start.handler);
  const runtime = new WorkerRuntime({
    ...start,
    handler,
    onHandlerError: (error, info) => {
      if (gate.enter()) port.postMessage({ type: 'handlerError', error, info } satisfies WorkerMessage);
    },
  });
  context.attach(runtime);
  await handler.start?.(context);
  port.on('message', (message: 'stop') => {
    if (message !== 'stop') return;
    context.abort();
    void Promise.resolve(handler.stop?.(context)).finally(() => {
      runtime.detach();
      port.close();
    });
  });
  port.postMessage({ type: 'ready' } satisfies WorkerMessage);
  runtime.begin();
}

main(received as WorkerStart).catch((error: unknown) => {
  parentPort!.postMessage({ type: 'failed', error } satisfies WorkerMessage);
  parentPort!.close();
});
