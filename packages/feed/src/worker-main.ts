// What a thread of consumeWith() runs: loads the consumer, takes its seat, and reads until the seat is taken away.
import { workerData } from 'node:worker_threads';
import { type BatchFunction, ConsumerLoop } from './consumer-loop.js';
import { errors } from './errors.js';
import type { NativeFeed } from './native.js';
import { attachToken } from './token.js';
import type { FeedConsumer, FeedContext, FeedKeyKind } from './types.js';
import { type FromWorker, reportOf, type ToWorker, type WorkerStart } from './worker-protocol.js';

const start = workerData as WorkerStart;
const { port } = start;
const post = (message: FromWorker) => port.postMessage(message);

// Failures of batches may come faster than anybody reads reports: one is under way at a time.
let reporting = false;
let suppressed = 0;

function reportFailure(error: unknown): void {
  if (reporting) {
    suppressed++;
    return;
  }
  reporting = true;
  post({ type: 'failed', error: reportOf(error), suppressed });
  suppressed = 0;
}

port.on('message', (message: ToWorker) => {
  if (message.type === 'reported') reporting = false;
  else post({ type: 'alive' });
});
port.unref();

/** A compiled CommonJS module has its default export one level deeper. */
function unwrapDefault(module: unknown): unknown {
  const once = (module as { default?: unknown }).default;
  const twice = (once as { default?: unknown } | undefined)?.default;
  return twice ?? once;
}

async function loadConsumer(): Promise<FeedConsumer> {
  const consumer = unwrapDefault(await import(start.module)) as FeedConsumer | undefined;
  if (typeof consumer?.batch !== 'function') throw errors.noConsumer(start.module);
  return consumer;
}

function takeSeat(native: NativeFeed, consumer: FeedConsumer, context: FeedContext): void {
  const loops: ConsumerLoop<FeedKeyKind>[] = [];
  native.openDoorbell(() => loops[0]?.ring());
  const number = native.occupy(start.ticket);
  if (number === -1) {
    void stop(native, consumer);
    return;
  }
  const run: BatchFunction<FeedKeyKind> = (batch) => consumer.batch(batch, context);
  const ended = () => void stop(native, consumer);
  loops.push(new ConsumerLoop(native, number, native.arena(), run, { failed: reportFailure, ended }));
  native.ping(start.ticket);
  post({ type: 'ready' });
}

async function stop(native: NativeFeed, consumer: FeedConsumer): Promise<void> {
  try {
    await consumer.stop?.();
  } catch (error) {
    reportFailure(error);
  }
  native.detach();
  post({ type: 'stopped' });
}

async function main(): Promise<void> {
  const { workerIndex, workerData: data } = start;
  const context: FeedContext = { workerIndex, workerData: data };
  try {
    const consumer = await loadConsumer();
    await consumer.start?.(context);
    takeSeat(attachToken(start.token), consumer, context);
  } catch (error) {
    post({ type: 'not-started', error: reportOf(error) });
  }
}

void main();
