/**
 * A TCP server in stages: native threads accept, wait, read, send and time out; handlers are TypeScript.
 *
 * @packageDocumentation
 */
export * from '@millrace/framing';
export { createServer } from './create-server.js';
export { defineHandler } from './define-handler.js';
export type { ErrorCode } from './errors.js';
export type { ListenOptions } from './listen-options.js';
export { Publisher } from './publisher.js';
export { Server } from './server.js';
export type {
  CloseReason,
  CommonOptions,
  Connection,
  ConnectionDuplex,
  ConnectionInfo,
  ConnectionKey,
  Handler,
  Message,
  Payload,
  PublishOptions,
  QueueState,
  ServerEvents,
  ServerOptions,
  ServerStats,
  SharedToken,
  WorkerContext,
  WorkerReport,
} from './types.js';
