/**
 * A worker's side of the bridge: takes batches of descriptors, calls the handler for each, and keeps the
 * accounts that the addon reads. Runs on any JavaScript thread.
 *
 * A message is accounted for when its handler has settled. While a connection's handler is pending its
 * next messages are parked, in order: their bytes move to blocks of their own and leave the ring.
 */
import { types } from 'node:util';
import type { Framing } from '@millrace/framing';
import { frameError, framingSpec } from '@millrace/framing/internal';
import { CLOSE_REASONS, type CloseReason } from './close-reason.js';
import { ServerConnection } from './connection.js';
import { asError, frameIncomplete, makeError } from './errors.js';
import {
  DESCRIPTOR_WORDS,
  FIRST_DESCRIPTOR,
  FRAME_INCOMPLETE,
  FIRST_OPERATION,
  IN,
  IN_EXACT_ECHO,
  KIND_MASK,
  NO_HANDLE,
  OPERATION_WORDS,
  PAUSE,
  WORD,
} from './layout.js';
import { ArenaMessage } from './message.js';
import { native, type WorkerViews } from './native.js';
import { Outbound } from './outbound.js';
import type { ConnectionInfo, Handler } from './types.js';

// As constants of this module: an import is looked up at every use.
const {
  running: RUNNING,
  outMark: OUT_MARK,
  outMarkBytes: OUT_MARK_BYTES,
  opCount: OP_COUNT,
  handled: HANDLED,
  dropped: DROPPED,
} = WORD;
const MESSAGE = IN.message;
const KIND = KIND_MASK;
const EXACT_ECHO = IN_EXACT_ECHO;
const DESCRIPTOR = DESCRIPTOR_WORDS;
const FIRST = FIRST_DESCRIPTOR;
const LAST_LENGTH = FIRST_OPERATION - OPERATION_WORDS + 3;
const OPERATION = OPERATION_WORDS;

/** A message that waits behind a pending handler. */
export interface Parked {
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
  readonly parts: number;
  readonly partCount: number;
}

export interface RuntimeOptions {
  readonly token: { readonly id: number; readonly nonce: number };
  readonly workerIndex: number;
  readonly handler: Handler<any, any>;
  readonly framing: Framing;
  readonly inboxCapacity: number;
  readonly highWaterBytes: number;
  readonly onHandlerError: (error: Error, info: ConnectionInfo) => void;
}

export class WorkerRuntime {
  readonly attachment: number;
  readonly outbound: Outbound;
  readonly highWaterBytes: number;
  readonly framing: Framing;

  readonly #handler: Handler<any, any>;
  readonly #onMessage: ((connection: ServerConnection<any>, message: ArenaMessage) => unknown) | undefined;
  readonly #onHandlerError: RuntimeOptions['onHandlerError'];
  readonly #views: WorkerViews;
  readonly #words: Uint32Array;
  readonly #parts: Uint32Array;
  readonly #mask: number;
  readonly #connections: (ServerConnection<any> | undefined)[] = [];
  #message: ArenaMessage;
  #attached = true;

  constructor(options: RuntimeOptions) {
    const { token, workerIndex, handler, framing } = options;
    const views = native.attach(
      token.id,
      token.nonce,
      workerIndex,
      (first, count) => this.#onBatch(first, count),
      () => void setImmediate(() => this.#attached && native.drain(this.attachment)),
    );
    if (views === undefined) throw makeError('ERR_SHARED_GONE', 'The server of this worker has been closed');
    if (views === null) {
      throw makeError('ERR_SERVER_MEMORY', `No place for worker ${workerIndex}: raise options.memory.maxBytes`);
    }
    this.#views = views;
    this.attachment = views.id;
    this.framing = framing;
    this.highWaterBytes = options.highWaterBytes;
    this.#handler = handler;
    this.#onMessage = handler.message?.bind(handler);
    this.#onHandlerError = options.onHandlerError;
    this.outbound = new Outbound(views, framing);
    this.#words = this.outbound.words;
    this.#parts = new Uint32Array(views.arena, 0, views.arena.byteLength >>> 2);
    this.#mask = options.inboxCapacity - 1;
    this.#message = this.#newMessage();
  }

  /** Messages come from here on. Connections that a predecessor had are opened again first. */
  begin(): void {
    const { open } = this.#views;
    for (let i = 0; i < open.length; i += 2) this.#open(open[i]!, open[i + 1]!, true);
    this.outbound.schedule();
    native.begin(this.attachment);
  }

  /** Lets go of the server. Views that handlers kept become empty. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    const { bridge, arena, sent } = this.#views;
    native.detach(this.attachment, bridge, arena, sent);
  }

  // --- Batches ---

  #onBatch(first: number, count: number): void {
    const { outbound } = this;
    const words = this.#words;
    const connections = this.#connections;
    const mask = this.#mask;
    outbound.inBatch = true;
    try {
      for (let i = 0; i < count; i++) {
        const position = first + i;
        // What survives the end of this thread, should it come while the handler runs.
        const operations = words[OP_COUNT]!;
        words[OUT_MARK_BYTES] = operations === 0 ? 0 : words[LAST_LENGTH + operations * OPERATION]!;
        words[OUT_MARK] = operations;
        words[RUNNING] = position;
        const at = FIRST + (position & mask) * DESCRIPTOR;
        const connection = connections[words[at]!];
        const known = connection !== undefined && connection.sequence === words[at + 1];
        if ((words[at + 4]! & KIND) !== MESSAGE) this.#event(at, known ? connection : undefined);
        else if (!known || connection.ended) words[DROPPED]!++;
        else if (connection.busy) this.#parkBehind(connection, at, position);
        else this.#arrived(connection, at, position);
      }
    } finally {
      // Not reached when the thread is terminated: that is how the addon tells.
      words[WORD.state] = 0;
      outbound.inBatch = false;
    }
  }

  #arrived(connection: ServerConnection<any>, at: number, position: number): void {
    const words = this.#words;
    const message = this.#message;
    message.show(words, at, EXACT_ECHO);
    let result: unknown;
    try {
      result = this.#handle(connection, message);
    } catch (error) {
      message.expire();
      words[WORD.failed]!++;
      this.fail(connection, error);
      return;
    }
    if (result === undefined || !isThenable(result)) {
      message.expire();
      words[HANDLED]!++;
      return;
    }
    const handle = native.park(this.attachment, position);
    if (handle === NO_HANDLE) {
      words[WORD.failed]!++;
      message.expire();
      connection.finish('overload', true);
      return;
    }
    // The handler keeps this message; it now shows the copy.
    this.#message = this.#newMessage();
    message.reset(words[WORD.resultA]!, words[at + 3]!, words[WORD.resultB]! >>> 2, words[at + 6]!);
    message.exact = false;
    message.block = native.parkedBlock(this.attachment, handle);
    words[WORD.held]!++;
    this.#wait(connection, message, handle, result);
  }

  #handle(connection: ServerConnection<any>, message: ArenaMessage): unknown {
    if (connection.stream === undefined) return this.#onMessage?.(connection, message);
    connection.stream.onBytes(message.copy());
    return undefined;
  }

  // --- Async handlers ---

  #wait(connection: ServerConnection<any>, message: ArenaMessage, handle: number, promise: PromiseLike<unknown>): void {
    if (!connection.busy) {
      connection.busy = true;
      connection.setPaused(PAUSE.async, true);
    }
    trusted(promise).then(
      () => this.#settled(connection, message, handle, undefined),
      (error: unknown) => this.#settled(connection, message, handle, { error }),
    );
  }

  #settled(
    connection: ServerConnection<any>,
    message: ArenaMessage,
    handle: number,
    failure: { error: unknown } | undefined,
  ): void {
    if (!this.#attached) return;
    message.expire();
    this.#account(handle, failure === undefined ? WORD.handled : WORD.failed);
    if (failure !== undefined) this.fail(connection, failure.error);
    this.#next(connection);
    this.outbound.schedule();
  }

  #account(handle: number, outcome: number): void {
    // What was sent on by reference lies in the block that goes here.
    this.outbound.handOver();
    this.#words[WORD.held]!--;
    this.#words[outcome]!++;
    native.unpark(this.attachment, handle);
  }

  #parkBehind(connection: ServerConnection<any>, at: number, position: number): void {
    const words = this.#words;
    const handle = native.park(this.attachment, position);
    if (handle === NO_HANDLE) {
      words[WORD.failed]!++;
      connection.finish('overload', true);
      return;
    }
    words[WORD.held]!++;
    (connection.waiting ??= []).push({
      handle,
      offset: words[WORD.resultA]!,
      length: words[at + 3]!,
      parts: words[WORD.resultB]!,
      partCount: words[at + 6]!,
    });
  }

  /** The connection's handler has settled: what waited behind it comes now. */
  #next(connection: ServerConnection<any>): void {
    const { waiting } = connection;
    let taken = 0;
    while (waiting !== undefined && taken < waiting.length) {
      const parked = waiting[taken++]!;
      if (connection.ended || connection.closed) {
        this.#account(parked.handle, WORD.dropped);
        continue;
      }
      const message = this.#newMessage();
      message.reset(parked.offset, parked.length, parked.parts >>> 2, parked.partCount);
      message.block = native.parkedBlock(this.attachment, parked.handle);
      let result: unknown;
      try {
        result = this.#handle(connection, message);
      } catch (error) {
        message.expire();
        this.#account(parked.handle, WORD.failed);
        this.fail(connection, error);
        continue;
      }
      if (isThenable(result)) {
        waiting.splice(0, taken);
        this.#wait(connection, message, parked.handle, result);
        return;
      }
      message.expire();
      this.#account(parked.handle, WORD.handled);
    }
    connection.waiting = undefined;
    connection.busy = false;
    connection.setPaused(PAUSE.async, false);
    const end = connection.pendingEnd;
    connection.pendingEnd = undefined;
    if (end !== undefined && !connection.closed) end();
  }

  // --- Events ---

  #event(at: number, connection: ServerConnection<any> | undefined): void {
    const words = this.#words;
    const kind = words[at + 4]! & KIND_MASK;
    if (kind === IN.open) {
      this.#open(words[at]!, words[at + 1]!, false);
    } else if (connection === undefined) {
      return;
    } else if (kind === IN.close) {
      this.#closed(connection, words[at + 3]!);
    } else if (kind === IN.drain) {
      connection.wantsDrain = false;
      const { stream } = connection;
      this.#call(connection, () => (stream === undefined ? this.#handler.drain?.(connection) : stream.onDrain()));
    } else {
      const error = this.#endError(kind, words[at + 3]!, words[at + 5]!, words[at + 6]!);
      const end = () => this.#ended(connection, kind, error);
      if (connection.busy) connection.pendingEnd = end;
      else end();
    }
  }

  #open(fd: number, sequence: number, reopened: boolean): void {
    const connection = new ServerConnection<any>(this, fd, sequence);
    this.#connections[fd] = connection;
    this.#call(connection, () => {
      connection.data = this.#handler.data?.(connection);
      return this.#handler.open?.(connection, { reopened });
    });
    connection.fresh = false;
  }

  /** A handler's function whose result, where it is a promise, the connection's messages wait for. */
  #call(connection: ServerConnection<any>, run: () => unknown): void {
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      this.fail(connection, error);
      return;
    }
    if (!isThenable(result)) return;
    connection.busy = true;
    connection.setPaused(PAUSE.async, true);
    const settled = (failure?: { error: unknown }) => {
      if (!this.#attached) return;
      if (failure !== undefined) this.fail(connection, failure.error);
      this.#next(connection);
      this.outbound.schedule();
    };
    trusted(result).then(
      () => settled(),
      (error: unknown) => settled({ error }),
    );
  }

  #endError(kind: number, code: number, low: number, high: number): Error | undefined {
    if (kind !== IN.end || code === 0) return undefined;
    if (code === FRAME_INCOMPLETE) return frameIncomplete();
    const detail = (BigInt(high) << 32n) | BigInt(low);
    const spec = framingSpec(this.framing);
    return frameError(code, detail, 'maxBytes' in spec ? spec.maxBytes : 0);
  }

  /** No more messages come: the peer ended, broke the framing, or the server closes. */
  #ended(connection: ServerConnection<any>, kind: number, error: Error | undefined): void {
    const { stream } = connection;
    if (stream !== undefined) {
      connection.fate ??= kind === IN.end ? 'peer' : 'server';
      this.#call(connection, () => (kind === IN.end ? stream.onPeerEnd() : stream.onServerEnd()));
      return;
    }
    if (error !== undefined) {
      connection.lastError = error;
      connection.fate = 'protocol';
      this.#report(connection, error);
    }
    connection.finish(kind === IN.serverEnd ? 'server' : error === undefined ? 'peer' : 'protocol', false);
  }

  #closed(connection: ServerConnection<any>, reason: number): void {
    this.#connections[connection.fd] = undefined;
    const { waiting } = connection;
    connection.waiting = undefined;
    waiting?.forEach((parked) => this.#account(parked.handle, WORD.dropped));
    connection.settleClosed();
    const why = CLOSE_REASONS[reason]!;
    this.#guarded(connection, () => this.#handler.close?.(connection, why as CloseReason, connection.lastError));
    this.#guarded(connection, () => connection.stream?.onClosed(connection.lastError));
  }

  // --- Failures ---

  /** A handler threw or its promise rejected: told to the handler and the server, and the connection ends. */
  fail(connection: ServerConnection<any>, thrown: unknown): void {
    const error = asError(thrown);
    if (connection.closed) {
      this.#onHandlerError(error, connection.info());
      return;
    }
    connection.lastError = error;
    connection.fate = 'error';
    if (connection.stream === undefined) this.#report(connection, error);
    connection.finish('error', false);
    this.#onHandlerError(error, connection.info());
  }

  #report(connection: ServerConnection<any>, error: Error): void {
    this.#guarded(connection, () => this.#handler.error?.(connection, error));
  }

  /** Runs what is the connection's last chance to fail. */
  #guarded(connection: ServerConnection<any>, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#onHandlerError(asError(error), connection.info());
    }
  }

  #newMessage(): ArenaMessage {
    return new ArenaMessage(this.outbound.arena, this.#parts);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function'
  );
}

/** A promise that calls back once, and never before then() has returned. */
function trusted(promise: PromiseLike<unknown>): PromiseLike<unknown> {
  return types.isPromise(promise) ? promise : Promise.resolve(promise);
}
