import type { MessagePort } from 'node:worker_threads';
import type { FeedKeyKind, SharedToken } from './types.js';

/** What a worker is given at its start. */
export interface WorkerStart {
  token: SharedToken<'feed', FeedKeyKind>;
  ticket: number;
  workerIndex: number;
  workerData: unknown;
  /** `file:` URL. */
  module: string;
  port: MessagePort;
}

/** Errors lose their `code` in a structured clone. */
export interface ErrorReport {
  name: string;
  message: string;
  stack: string | undefined;
  code: unknown;
}

export type FromWorker =
  | { type: 'ready' }
  | { type: 'not-started'; error: ErrorReport }
  /** `suppressed`: failures since the last report. The next one is sent after `reported`. */
  | { type: 'failed'; error: ErrorReport; suppressed: number }
  | { type: 'alive' }
  | { type: 'stopped' };

export type ToWorker = { type: 'reported' } | { type: 'alive?' };

export function reportOf(error: unknown): ErrorReport {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined, code: undefined };
  const { name, message, stack } = error;
  const { code } = error as { code?: unknown };
  return { name, message, stack, code: typeof code === 'object' || typeof code === 'function' ? undefined : code };
}

export function errorOf({ name, message, stack, code }: ErrorReport): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return code === undefined ? error : Object.assign(error, { code });
}
