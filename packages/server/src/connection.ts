import { inspect } from 'node:util';
import { checkInteger, checkString } from '@millrace/native';
import { reasonNumber, type CloseReason } from './close-reason.js';
import { connectionInfo } from './connection-info.js';
import { toDuplex, type ConnectionStream } from './duplex.js';
import { makeError } from './errors.js';
import { PAUSE } from './layout.js';
import { ArenaMessage } from './message.js';
import { native, type ConnectionRow } from './native.js';
import type { Outbound } from './outbound.js';
import { checkPayload, checkPublish } from './publish-options.js';
import type { Parked } from './pending.js';
import type { WorkerRuntime } from './worker-runtime.js';
import { parseTopic } from './topic.js';
import type { Connection, ConnectionDuplex, ConnectionInfo, Payload, PublishOptions } from './types.js';

const MAX_TIMEOUT_MS = 2 ** 32 - 1;
const MAX_TOPIC_BYTES = 16 * 1024;

// Whatever type the application gives `data`.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyConnection = ServerConnection<any>;

/** @internal The worker's own connection: the public face, and what the runtime keeps of it. */
export class ServerConnection<Data = unknown> implements Connection<Data> {
  data!: Data;
  closed = false;

  // The runtime's. A pending handler, what waits behind it, and how the end stands.
  submitted: number;
  /** Handlers of it that have not settled. */
  pending = 0;
  waiting: Parked[] | undefined;
  pendingEnd: ((this: void) => void) | undefined;
  ended = false;
  /** By the application's end(): then it should know. */
  endedByItself = false;
  wantsDrain = false;
  /** Why it will have closed, whatever ends it first from here. */
  fate: CloseReason | undefined;
  lastError: Error | undefined;
  stream: ConnectionStream | undefined;
  /** Its `open` is running. */
  fresh = true;

  readonly #runtime: WorkerRuntime;
  readonly #outbound: Outbound;
  readonly #highWaterBytes: number;
  #id: string | undefined;
  #row: ConnectionRow | undefined;
  #local: { address?: string; port?: number } | undefined;
  #abort: AbortController | undefined;

  constructor(
    runtime: WorkerRuntime,
    readonly fd: number,
    readonly sequence: number,
  ) {
    this.#runtime = runtime;
    this.#outbound = runtime.outbound;
    this.#highWaterBytes = runtime.highWaterBytes;
    this.submitted = runtime.outbound.sent[fd]!;
  }

  get id(): string {
    return (this.#id ??= `${this.sequence}:${this.fd}`);
  }

  get remoteAddress(): string | undefined {
    return this.#facts()?.[2];
  }

  get remotePort(): number | undefined {
    return this.remoteAddress === undefined ? undefined : this.#facts()?.[3];
  }

  get localAddress(): string | undefined {
    return this.#localFacts().address;
  }

  get localPort(): number | undefined {
    return this.#localFacts().port;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.closed && !this.#abort.signal.aborted) this.#abort.abort();
    return this.#abort.signal;
  }

  get bufferedBytes(): number {
    return this.closed ? 0 : this.#outbound.buffered(this);
  }

  write(payload: Payload): boolean {
    if (!this.#writable(payload)) return false;
    this.#outbound.write(this, payload);
    return this.#belowHighWater();
  }

  send(payload: Payload): boolean {
    if (!this.#writable(payload)) return false;
    this.#outbound.send(this, payload);
    return this.#belowHighWater();
  }

  end(payload?: Payload): void {
    if (this.closed || this.ended) return;
    if (payload !== undefined) this.write(payload);
    this.endedByItself = true;
    this.finish('local', false);
  }

  destroy(reason?: string | Error): void {
    if (this.closed) return;
    const isError = typeof reason === 'object';
    if (isError) this.lastError = reason;
    this.finish(isError ? 'error' : 'local', true);
  }

  pause(): void {
    this.setPaused(PAUSE.user, true);
  }

  resume(): void {
    this.setPaused(PAUSE.user, false);
  }

  setIdleTimeout(ms: number): void {
    checkInteger('ms', ms, 0, MAX_TIMEOUT_MS);
    if (!this.closed) native.setIdleTimeout(this.#runtime.attachment, this.fd, this.sequence, ms);
  }

  subscribe(topic: string): void {
    const { name, pattern } = parseTopic(checkString('topic', topic));
    if (name.length > MAX_TOPIC_BYTES) {
      checkInteger('topic.length', name.length, 0, MAX_TOPIC_BYTES);
    }
    if (this.closed) return;
    const outcome = native.subscribe(this.#runtime.attachment, this.fd, this.sequence, name, pattern);
    if (outcome === 0) this.#outbound.activate(this);
    if (outcome !== 2) return;
    throw makeError(
      'ERR_SERVER_SUBSCRIPTIONS',
      `No subscription is free for ${inspect(topic.slice(0, 100))}: raise options.maxSubscriptions, ` +
        'or memory.maxBytes for long topics',
    );
  }

  unsubscribe(topic: string): void {
    const { name, pattern } = parseTopic(checkString('topic', topic));
    if (!this.closed) native.unsubscribe(this.#runtime.attachment, this.fd, this.sequence, name, pattern);
  }

  publish(topic: string, payload: Payload, options: PublishOptions = {}): number {
    const { key, includeSelf, framed } = checkPublish(topic, payload, options);
    return this.#outbound.publish(topic, payload, key, framed, includeSelf ? undefined : this);
  }

  toDuplex(): ConnectionDuplex {
    this.stream = toDuplex(this, this.#runtime);
    return this.stream as unknown as ConnectionDuplex;
  }

  // --- The runtime's ---

  setPaused(bit: number, on: boolean): void {
    if (!this.closed) native.setPaused(this.#runtime.attachment, this.fd, this.sequence, bit, on);
  }

  /** Our end, after what was written (or at once). The close event follows. */
  finish(reason: CloseReason, atOnce: boolean): void {
    if (this.ended && !atOnce) return;
    this.ended = true;
    this.#outbound.end(this, reasonNumber(this.fate ?? reason), atOnce);
  }

  /** The sender has come below the mark: whether that is still so, with what was written meanwhile. */
  waitsForDrain(lowWaterBytes: number): boolean {
    this.wantsDrain = this.#runtime.outbound.buffered(this) > lowWaterBytes;
    if (this.wantsDrain) this.#askForDrain();
    return this.wantsDrain;
  }

  /** The close event is here. */
  settleClosed(): void {
    this.#facts();
    this.closed = true;
    this.#abort?.abort();
  }

  info(): ConnectionInfo {
    const row = native.info(this.#runtime.attachment, this.fd, this.sequence) ?? this.#row;
    return connectionInfo(row ?? [this.fd, this.sequence, undefined, 0, 0, 0, 0, 0, 0, 0]);
  }

  family(): 'IPv4' | 'IPv6' | undefined {
    const family = this.#facts()?.[9];
    return family === 2 ? 'IPv4' : family === 10 ? 'IPv6' : undefined;
  }

  // --- Private ---

  #writable(payload: Payload): boolean {
    if (this.closed) return false;
    // The quickest check first: an echo passes here a million times a second.
    if (payload instanceof ArenaMessage && !this.ended && !payload.expired) return true;
    checkPayload(payload);
    if (!this.ended) return true;
    if (!this.endedByItself) return false;
    throw makeError('ERR_CONNECTION_ENDED', `Connection ${this.id} was ended: write before end(), not after it`);
  }

  #belowHighWater(): boolean {
    const outbound = this.#outbound;
    if (outbound.buffered(this) <= this.#highWaterBytes) return true;
    if (!this.wantsDrain) this.#askForDrain();
    return false;
  }

  /** Nothing more is read from here on. The sender, when it comes to this, sees to it that reading goes on. */
  #askForDrain(): void {
    this.wantsDrain = true;
    this.setPaused(PAUSE.write, true);
    this.#outbound.wantDrain(this);
  }

  #facts(): ConnectionRow | undefined {
    if (this.#row === undefined && !this.closed) {
      this.#row = native.info(this.#runtime.attachment, this.fd, this.sequence);
    }
    return this.#row;
  }

  #localFacts(): { address?: string; port?: number } {
    if (this.#local === undefined && !this.closed) this.#local = native.localAddress(this.fd) ?? {};
    return this.#local ?? {};
  }
}
