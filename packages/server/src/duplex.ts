/**
 * A connection as a stream, for code written for `net.Socket`: `http.Server`, Fastify, Express.
 * Reading pauses the connection when the stream's buffer is full, and writing waits for `drain`.
 */
import type { ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { framingSpec } from '@millrace/framing/internal';
import type { AnyConnection } from './connection.js';
import { makeError } from './errors.js';
import type { WorkerRuntime } from './worker-runtime.js';

export class ConnectionStream extends Duplex {
  readonly #connection: AnyConnection;
  #afterDrain: (() => void) | undefined;
  #afterClose: ((error: Error | null) => void) | undefined;
  #paused = false;
  #timer: NodeJS.Timeout | undefined;
  timeout: number | undefined;
  /** http.Server's, while it works on a response. */
  declare _httpMessage?: ServerResponse | null;

  constructor(connection: AnyConnection) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
    // Asked for now: they cannot be had once the connection is gone.
    void connection.remoteAddress;
    void connection.localAddress;
  }

  get remoteAddress(): string | undefined {
    return this.#connection.remoteAddress;
  }
  get remotePort(): number | undefined {
    return this.#connection.remotePort;
  }
  get remoteFamily(): string | undefined {
    return this.#connection.family();
  }
  get localAddress(): string | undefined {
    return this.#connection.localAddress;
  }
  get localPort(): number | undefined {
    return this.#connection.localPort;
  }
  get bytesRead(): number {
    return this.#connection.info().bytesRead;
  }
  get bytesWritten(): number {
    return this.#connection.info().bytesWritten;
  }

  /** `timeout` is emitted after this long without activity; 0: off. It closes nothing, as with a socket. */
  setTimeout(ms: number, callback?: () => void): this {
    this.timeout = ms;
    if (callback !== undefined) {
      if (ms === 0) this.removeListener('timeout', callback);
      else this.once('timeout', callback);
    }
    this.#stopTimer();
    const runs = ms > 0 && !this.destroyed;
    if (runs) this.#timer = setTimeout(() => this.emit('timeout'), ms).unref();
    return this;
  }

  // The server decides these for all of its connections.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  // The server keeps the process alive, not a connection.
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  // --- Called by the runtime ---

  onBytes(bytes: Buffer): void {
    this.#active();
    if (this.push(bytes)) return;
    this.#paused = true;
    this.#connection.pause();
  }

  onDrain(): void {
    const callback = this.#afterDrain;
    this.#afterDrain = undefined;
    callback?.();
  }

  onPeerEnd(): void {
    this.push(null);
  }

  /** The server closes: a response that http is working on is finished first, and told to be the last. */
  onServerEnd(): void {
    const response = this._httpMessage;
    if (response === undefined || response === null) {
      this.end();
      return;
    }
    if (!response.headersSent) response.setHeader('connection', 'close');
    response.once('close', () => this.end());
  }

  onClosed(error: Error | undefined): void {
    this.#stopTimer();
    this.#afterDrain = undefined;
    const callback = this.#afterClose;
    this.#afterClose = undefined;
    if (callback !== undefined) callback(null);
    else this.destroy(error);
  }

  // --- Called by Duplex ---

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#active();
    if (this.#connection.closed || this.#connection.ended) {
      callback(makeError('ERR_CONNECTION_ENDED', 'The connection has closed'));
    } else if (this.#connection.write(chunk)) {
      callback();
    } else {
      this.#afterDrain = callback;
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#connection.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stopTimer();
    if (this.#connection.closed) {
      callback(error);
      return;
    }
    if (!this.#connection.ended || error !== null) this.#connection.destroy();
    this.#afterClose = () => callback(error);
  }

  #active(): void {
    this.#timer?.refresh();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** @throws Error `ERR_CONNECTION_IN_USE` when it comes too late, or twice, or not over `raw()` */
export function toDuplex(connection: AnyConnection, runtime: WorkerRuntime): ConnectionStream {
  const raw = framingSpec(runtime.framing).name === 'raw';
  if (raw && connection.stream === undefined && connection.fresh && !connection.closed) {
    return new ConnectionStream(connection);
  }
  throw makeError(
    'ERR_CONNECTION_IN_USE',
    `Connection ${connection.id} cannot become a stream: call toDuplex() once, in open, with framing raw()`,
  );
}
