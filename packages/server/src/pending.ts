/**
 * Handlers that answered a promise. Until it settles the connection's next messages are parked, in order:
 * their bytes move to blocks of their own and leave the ring. The connection is not read meanwhile, so what
 * can be parked is what was on its way.
 */
import type { AnyConnection } from './connection.js';
import type { Failures } from './failures.js';
import { NO_HANDLE, PAUSE, WORD } from './layout.js';
import { ArenaMessage } from './message.js';
import { native } from './native.js';
import type { Outbound } from './outbound.js';
import { isThenable, whenSettled } from './thenable.js';

/** A message that waits behind a pending handler. */
export interface Parked {
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
  readonly parts: number;
  readonly partCount: number;
}

type Run = (connection: AnyConnection, message: ArenaMessage) => unknown;

export class Pending {
  readonly #outbound: Outbound;
  readonly #words: Uint32Array;
  readonly #parts: Uint32Array;
  readonly #failures: Failures;
  readonly #run: Run;
  #ended = false;

  /** @param run - calls the handler for one message */
  constructor(outbound: Outbound, parts: Uint32Array, failures: Failures, run: Run) {
    this.#outbound = outbound;
    this.#words = outbound.words;
    this.#parts = parts;
    this.#failures = failures;
    this.#run = run;
  }

  /** The thread has let go of the server: what settles from now on is nobody's business. */
  end(): void {
    this.#ended = true;
  }

  newMessage(): ArenaMessage {
    return new ArenaMessage(this.#outbound.arena, this.#parts);
  }

  /**
   * The handler of the descriptor at `at` answered a promise: the message keeps its bytes until that settles.
   * Without memory for that the connection ends, and the promise's outcome is nobody's.
   */
  keep(
    connection: AnyConnection,
    message: ArenaMessage,
    at: number,
    position: number,
    promise: PromiseLike<unknown>,
  ): void {
    const words = this.#words;
    const handle = this.#park(connection, position);
    if (handle === NO_HANDLE) {
      message.expire();
      void whenSettled(promise, () => undefined);
      return;
    }
    message.reset(words[WORD.resultA]!, words[at + 3]!, words[WORD.resultB]! >>> 2, words[at + 6]!);
    message.exact = false;
    message.block = native.parkedBlock(this.#outbound.attachment, handle);
    this.#wait(connection, message, handle, promise);
  }

  /** A message for a connection whose handler is pending. */
  add(connection: AnyConnection, at: number, position: number): void {
    const words = this.#words;
    const handle = this.#park(connection, position);
    if (handle === NO_HANDLE) return;
    (connection.waiting ??= []).push({
      handle,
      offset: words[WORD.resultA]!,
      length: words[at + 3]!,
      parts: words[WORD.resultB]!,
      partCount: words[at + 6]!,
    });
  }

  /** A handler's function other than `message`: where it answers a promise, messages wait for that too. */
  call(connection: AnyConnection, run: () => unknown): void {
    let result: unknown;
    let thenable: boolean;
    try {
      result = run();
      thenable = isThenable(result);
    } catch (error) {
      this.#failures.fail(connection, error);
      return;
    }
    if (thenable) this.#hold(connection, result as PromiseLike<unknown>, () => undefined);
  }

  /** The connection has closed: nobody handles what still waited. */
  drop(connection: AnyConnection): void {
    const { waiting } = connection;
    connection.waiting = undefined;
    waiting?.forEach((parked) => this.#account(parked.handle, WORD.dropped));
  }

  #park(connection: AnyConnection, position: number): number {
    const handle = native.park(this.#outbound.attachment, position);
    if (handle === NO_HANDLE) {
      this.#words[WORD.failed]!++;
      connection.finish('overload', true);
    } else {
      this.#words[WORD.held]!++;
    }
    return handle;
  }

  #wait(connection: AnyConnection, message: ArenaMessage, handle: number, promise: PromiseLike<unknown>): void {
    this.#hold(connection, promise, (failed) => {
      message.expire();
      this.#account(handle, failed ? WORD.failed : WORD.handled);
    });
  }

  #hold(connection: AnyConnection, promise: PromiseLike<unknown>, settle: (failed: boolean) => void): void {
    if (connection.pending++ === 0) connection.setPaused(PAUSE.async, true);
    const settled = (failure?: { error: unknown }) => {
      if (this.#ended) return;
      settle(failure !== undefined);
      if (failure !== undefined) this.#failures.fail(connection, failure.error);
      if (--connection.pending === 0) this.#next(connection);
      this.#outbound.schedule();
    };
    void whenSettled(promise, settled);
  }

  #account(handle: number, outcome: number): void {
    // What was sent on by reference lies in the block that goes here.
    this.#outbound.handOver();
    this.#words[WORD.held]!--;
    this.#words[outcome]!++;
    native.unpark(this.#outbound.attachment, handle);
  }

  /** No handler of the connection is pending any more: what waited behind it comes now. */
  #next(connection: AnyConnection): void {
    const { waiting } = connection;
    for (let taken = 0; waiting !== undefined && taken < waiting.length;) {
      this.#handle(connection, waiting[taken++]!);
      if (connection.pending === 0) continue;
      waiting.splice(0, taken);
      return;
    }
    connection.waiting = undefined;
    connection.setPaused(PAUSE.async, false);
    const end = connection.pendingEnd;
    connection.pendingEnd = undefined;
    if (end !== undefined && !connection.closed) end();
  }

  #handle(connection: AnyConnection, parked: Parked): void {
    if (connection.ended || connection.closed) {
      this.#account(parked.handle, WORD.dropped);
      return;
    }
    const message = this.newMessage();
    message.reset(parked.offset, parked.length, parked.parts >>> 2, parked.partCount);
    message.block = native.parkedBlock(this.#outbound.attachment, parked.handle);
    let result: unknown;
    let thenable: boolean;
    try {
      result = this.#run(connection, message);
      thenable = isThenable(result);
    } catch (error) {
      message.expire();
      this.#account(parked.handle, WORD.failed);
      this.#failures.fail(connection, error);
      return;
    }
    if (thenable) {
      this.#wait(connection, message, parked.handle, result as PromiseLike<unknown>);
    } else {
      message.expire();
      this.#account(parked.handle, WORD.handled);
    }
  }
}
