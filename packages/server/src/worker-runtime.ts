/**
 * A worker's side of the bridge: takes batches of descriptors, calls the handler for each, and keeps the
 * accounts that the addon reads. Runs on any JavaScript thread.
 */
import type { Framing } from '@millrace/framing';
import { frameError, framingSpec } from '@millrace/framing/internal';
import { CLOSE_REASONS, type CloseReason } from './close-reason.js';
import { ServerConnection, type AnyConnection } from './connection.js';
import { frameIncomplete, makeError } from './errors.js';
import { Failures } from './failures.js';
import {
  DESCRIPTOR_WORDS,
  FIRST_DESCRIPTOR,
  FRAME_INCOMPLETE,
  FIRST_OPERATION,
  IN,
  IN_EXACT_ECHO,
  KIND_MASK,
  OPERATION_WORDS,
  WORD,
} from './layout.js';
import type { ArenaMessage } from './message.js';
import { native, type WorkerViews } from './native.js';
import { Outbound } from './outbound.js';
import { Pending } from './pending.js';
import { isThenable } from './thenable.js';
import type { AnyHandler, ConnectionInfo } from './types.js';

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

export interface RuntimeOptions {
  readonly token: { readonly id: number; readonly nonce: number };
  readonly workerIndex: number;
  readonly handler: AnyHandler;
  readonly framing: Framing;
  readonly inboxCapacity: number;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly onHandlerError: (error: Error, info: ConnectionInfo) => void;
}

export class WorkerRuntime {
  readonly attachment: number;
  readonly outbound: Outbound;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly framing: Framing;

  readonly #handler: AnyHandler;
  readonly #onMessage: ((connection: AnyConnection, message: ArenaMessage) => unknown) | undefined;
  readonly #failures: Failures;
  readonly #pending: Pending;
  readonly #views: WorkerViews;
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #connections: (AnyConnection | undefined)[] = [];
  #message: ArenaMessage;
  #attached = true;
  #longestMs = 0;

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
    this.lowWaterBytes = options.lowWaterBytes;
    this.#handler = handler;
    this.#onMessage = handler.message?.bind(handler);
    this.outbound = new Outbound(views, framing);
    this.#words = this.outbound.words;
    this.#mask = options.inboxCapacity - 1;
    this.#failures = new Failures(handler, options.onHandlerError);
    const parts = new Uint32Array(views.arena, 0, views.arena.byteLength >>> 2);
    this.#pending = new Pending(this.outbound, parts, this.#failures, (connection, message) =>
      this.#handle(connection, message),
    );
    this.#message = this.#pending.newMessage();
  }

  /** Messages come from here on. Connections that a predecessor had are opened again first. */
  begin(): void {
    const { open } = this.#views;
    for (let i = 0; i < open.length; i += 2) this.#open(open[i]!, open[i + 1]!, true);
    this.outbound.schedule();
    native.begin(this.attachment);
  }

  /** Lets go of the server. Views that handlers kept become empty, and connections they kept are closed ones. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#pending.end();
    for (const connection of this.#connections) {
      if (connection === undefined) continue;
      connection.settleClosed();
      this.#failures.guard(connection, () => connection.stream?.onClosed(connection.lastError));
    }
    this.#connections.length = 0;
    const { bridge, arena, sent } = this.#views;
    native.detach(this.attachment, bridge, arena, sent);
  }

  /** How long the longest batch took since this was last asked. */
  takeLongestMs(): number {
    const longest = this.#longestMs;
    this.#longestMs = 0;
    return longest;
  }

  // --- Batches ---

  #onBatch(first: number, count: number): void {
    const { outbound } = this;
    const words = this.#words;
    const connections = this.#connections;
    const mask = this.#mask;
    outbound.inBatch = true;
    const began = performance.now();
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
        else if (connection.pending > 0) this.#pending.add(connection, at, position);
        else this.#arrived(connection, at, position);
      }
    } finally {
      // Not reached when the thread is terminated: that is how the addon tells.
      words[WORD.state] = 0;
      outbound.inBatch = false;
      const tookMs = performance.now() - began;
      if (tookMs > this.#longestMs) this.#longestMs = tookMs;
    }
  }

  #arrived(connection: AnyConnection, at: number, position: number): void {
    const words = this.#words;
    const message = this.#message;
    message.show(words, at, EXACT_ECHO);
    let result: unknown;
    let thenable: boolean;
    try {
      result = this.#handle(connection, message);
      thenable = result !== undefined && isThenable(result);
    } catch (error) {
      message.expire();
      words[WORD.failed]!++;
      this.#failures.fail(connection, error);
      return;
    }
    if (!thenable) {
      message.expire();
      words[HANDLED]!++;
      return;
    }
    // The handler keeps this message, which then shows a copy or, without memory for that, stays expired.
    this.#message = this.#pending.newMessage();
    this.#pending.keep(connection, message, at, position, result as PromiseLike<unknown>);
  }

  #handle(connection: AnyConnection, message: ArenaMessage): unknown {
    if (connection.stream === undefined) return this.#onMessage?.(connection, message);
    connection.stream.onBytes(message.copy());
    return undefined;
  }

  // --- Events ---

  #event(at: number, connection: AnyConnection | undefined): void {
    const words = this.#words;
    const kind = words[at + 4]! & KIND_MASK;
    if (kind === IN.open) {
      this.#open(words[at]!, words[at + 1]!, false);
    } else if (connection === undefined) {
      return;
    } else if (kind === IN.close) {
      this.#closed(connection, words[at + 3]!);
    } else if (kind === IN.drain) {
      // More has been written since: it is not over.
      if (connection.waitsForDrain(this.lowWaterBytes)) return;
      const { stream } = connection;
      this.#pending.call(connection, () =>
        stream === undefined ? this.#handler.drain?.(connection) : stream.onDrain(),
      );
    } else {
      const error = this.#endError(kind, words[at + 3]!, words[at + 5]!, words[at + 6]!);
      const end = () => this.#ended(connection, kind, error);
      if (connection.pending > 0) connection.pendingEnd = end;
      else end();
    }
  }

  #open(fd: number, sequence: number, reopened: boolean): void {
    const connection = new ServerConnection<unknown>(this, fd, sequence);
    this.#connections[fd] = connection;
    this.#pending.call(connection, () => {
      connection.data = this.#handler.data?.(connection);
      return this.#handler.open?.(connection, { reopened });
    });
    connection.fresh = false;
  }

  #endError(kind: number, code: number, low: number, high: number): Error | undefined {
    if (kind !== IN.end || code === 0) return undefined;
    if (code === FRAME_INCOMPLETE) return frameIncomplete();
    const detail = (BigInt(high) << 32n) | BigInt(low);
    const spec = framingSpec(this.framing);
    return frameError(code, detail, 'maxBytes' in spec ? spec.maxBytes : 0);
  }

  /** No more messages come: the peer ended, broke the framing, or the server closes. */
  #ended(connection: AnyConnection, kind: number, error: Error | undefined): void {
    const { stream } = connection;
    if (stream !== undefined) {
      connection.fate ??= kind === IN.end ? 'peer' : 'server';
      this.#pending.call(connection, () => (kind === IN.end ? stream.onPeerEnd() : stream.onServerEnd()));
      return;
    }
    if (error !== undefined) {
      connection.lastError = error;
      connection.fate = 'protocol';
      this.#failures.tell(connection, error);
    }
    connection.finish(kind === IN.serverEnd ? 'server' : error === undefined ? 'peer' : 'protocol', false);
  }

  #closed(connection: AnyConnection, reason: number): void {
    this.#connections[connection.fd] = undefined;
    this.#pending.drop(connection);
    connection.settleClosed();
    const why = CLOSE_REASONS[reason]!;
    this.#failures.guard(connection, () => this.#handler.close?.(connection, why as CloseReason, connection.lastError));
    this.#failures.guard(connection, () => connection.stream?.onClosed(connection.lastError));
  }
}
