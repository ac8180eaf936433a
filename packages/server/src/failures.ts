import type { AnyConnection } from './connection.js';
import { asError } from './errors.js';
import { isThenable, whenSettled } from './thenable.js';
import type { AnyHandler, ConnectionInfo } from './types.js';

/** What becomes of an error that a handler threw, or that a peer caused. One for each thread. */
export class Failures {
  readonly #handler: AnyHandler;
  readonly #onHandlerError: (error: Error, info: ConnectionInfo) => void;

  constructor(handler: AnyHandler, onHandlerError: (error: Error, info: ConnectionInfo) => void) {
    this.#handler = handler;
    this.#onHandlerError = onHandlerError;
  }

  /** A handler threw or its promise rejected: told to the handler and the server, and the connection ends. */
  fail(connection: AnyConnection, thrown: unknown): void {
    const error = asError(thrown);
    if (connection.closed) {
      this.#onHandlerError(error, connection.info());
      return;
    }
    connection.lastError = error;
    connection.fate = 'error';
    if (connection.stream === undefined) this.tell(connection, error);
    connection.finish('error', false);
    this.#onHandlerError(error, connection.info());
  }

  /** Calls `handler.error`. */
  tell(connection: AnyConnection, error: Error): void {
    this.guard(connection, () => this.#handler.error?.(connection, error));
  }

  /** Runs what is the connection's last chance to fail, also later where it answers a promise. */
  guard(connection: AnyConnection, run: () => unknown): void {
    const report = (error: unknown) => this.#onHandlerError(asError(error), connection.info());
    try {
      const result = run();
      if (isThenable(result)) void whenSettled(result, (failure) => failure && report(failure.error));
    } catch (error) {
      report(error);
    }
  }
}
