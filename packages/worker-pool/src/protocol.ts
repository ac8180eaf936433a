import type { MessagePort } from 'node:worker_threads';
import type { ErrorReport } from './error-report.js';

/** What a worker thread is given at its start. */
export interface WorkerStart {
  /** The lane's memory; its layout is in layout.ts. */
  memory: SharedArrayBuffer;
  /** One word for all workers of a pool: 1 while the pool's door has been rung and not answered. */
  bell: SharedArrayBuffer;
  /** The pool's door. */
  door: number;
  /** `performance.timeOrigin` of the pool's thread. */
  timeOrigin: number;
  /** A `file:` URL. */
  module: string;
  workerData: unknown;
  /** Tasks and results that are not for rings. Nobody listens: both sides take a message when an order or answer says so. */
  port: MessagePort;
}

/** Pool to worker. Names come before the first order that uses them. */
export type TaskMessage =
  { readonly name: string; readonly number: number } | { readonly position: number; readonly value: unknown };

/** Worker to pool. */
export type ResultMessage =
  | { readonly position: number; readonly value: unknown }
  | { readonly position: number; readonly error: ErrorReport }
  /** The module did not load. */
  | { readonly failed: ErrorReport };
