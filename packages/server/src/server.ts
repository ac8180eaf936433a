import { EventEmitter } from 'node:events';
import { unlinkSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { checkObject, checkOneOf, integerOption } from '@millrace/native';
import { connectionInfo } from './connection-info.js';
import { abortError, asError, makeError, moduleError, systemError } from './errors.js';
import {
  checkListenOptions,
  checkSignal,
  resolveHost,
  type CheckedListen,
  type ListenOptions,
} from './listen-options.js';
import { loadHandler } from './load-handler.js';
import { native } from './native.js';
import { checkOptions, type CheckedOptions } from './options.js';
import { checkPublish } from './publish-options.js';
import { Publisher } from './publisher.js';
import { collectStats } from './server-stats.js';
import { encodeToken } from './server-token.js';
import { serverFigures } from './stats.js';
import type { ConnectionInfo, PublishOptions, ServerEvents, ServerOptions, ServerStats, SharedToken } from './types.js';
import { WorkerContextImpl } from './worker-context.js';
import { WorkerGroup } from './worker-group.js';
import { WorkerRuntime } from './worker-runtime.js';

const WATCH_MS = 50;
const POLL_MS = 10;
const DRAIN_MS = 10_000;
const SORT_KEYS = [
  'fd',
  'sequence',
  'id',
  'remoteAddress',
  'remotePort',
  'bytesRead',
  'bytesWritten',
  'bufferedBytes',
  'openedAtMs',
  'idleMs',
] as const;

/**
 * A TCP (or unix socket) server whose stages are native threads and whose handlers are yours.
 * Made by `createServer`.
 */
export class Server extends EventEmitter<ServerEvents> implements AsyncDisposable {
  readonly #options: CheckedOptions;
  #id: number | undefined;
  #address: AddressInfo | string | null = null;
  #listening = false;
  #starting = false;
  #closing: Promise<void> | undefined;
  #referenced = true;
  #workers: WorkerGroup | undefined;
  #runtime: WorkerRuntime | undefined;
  #context: WorkerContextImpl | undefined;
  #publisher: Publisher | undefined;
  #watch: NodeJS.Timeout | undefined;
  #memoryShort = false;
  #paused = false;
  #forget: (() => void) | undefined;
  #stop: (() => Promise<void>) | undefined;
  #lastStats: ServerStats | undefined;

  /** @internal */
  static make(options: ServerOptions): Server {
    return new Server(options);
  }

  private constructor(options: ServerOptions) {
    super();
    this.#options = checkOptions(options);
    // Connections are announced only to somebody who listens.
    const events = this as EventEmitter;
    events.on('newListener', (name) => {
      if (name === 'connection') this.#control('announce');
    });
    events.on('removeListener', (name) => {
      if (name === 'connection' && this.listenerCount(name) === 0) this.#control('silence');
    });
  }

  get listening(): boolean {
    return this.#listening;
  }

  address(): AddressInfo | string | null {
    return this.#address;
  }

  /**
   * Starts the workers, then listens.
   *
   * @param options - `port` 0 (the default) is any free one; `host` defaults to every address
   * @returns the address, or the path of a unix socket
   * @throws a system error (`EADDRINUSE` …), `ERR_WORKER_MODULE`, `ERR_SERVER_LISTENING`, `ERR_SERVER_CLOSED`
   */
  async listen(options: ListenOptions): Promise<AddressInfo | string> {
    const where = checkListenOptions(options);
    const { signal } = where;
    if (this.#closing !== undefined) throw makeError('ERR_SERVER_CLOSED', 'The server was closed: make a new one');
    if (this.#starting)
      throw makeError('ERR_SERVER_LISTENING', 'listen() was called already: make one server an address');
    throwIfAborted(signal);
    this.#starting = true;
    try {
      const host = await resolveHost(where.host);
      this.#mayStart(signal);
      await this.#start();
      this.#mayStart(signal);
      this.#bind(where, host);
    } catch (error) {
      if (this.#closing === undefined) await this.#tearDown();
      this.#starting = false;
      this.#mayStart(undefined);
      throw error;
    }
    this.#listening = true;
    this.#watch = setInterval(() => this.#look(), WATCH_MS).unref();
    if (signal !== undefined) {
      const abort = () => void this.close();
      signal.addEventListener('abort', abort, { once: true });
      this.#forget = () => signal.removeEventListener('abort', abort);
    }
    this.emit('listening');
    return this.#address!;
  }

  /** Accepts nobody until resume(): clients wait in the system's backlog. */
  pause(): void {
    this.#paused = true;
    this.#control('pause');
  }

  resume(): void {
    this.#paused = false;
    this.#control('resume');
  }

  ref(): this {
    return this.#reference(true);
  }

  /** The server no longer keeps the process alive. */
  unref(): this {
    return this.#reference(false);
  }

  /**
   * Accepts nobody any more, lets every connection finish what it has sent us and take its replies, then
   * ends. Idempotent: a later call waits for the first, whose options hold.
   *
   * @param options.drainMs - after this long connections are closed as they stand. Default: 10,000
   * @param options.signal - forces at once
   */
  close(options: { drainMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    checkObject('options', options);
    const drainMs = integerOption('options.drainMs', options.drainMs, { min: 0, max: 2 ** 31 - 1, default: DRAIN_MS });
    const signal = checkSignal('options.signal', options.signal);
    return (this.#closing ??= this.#close(drainMs, signal));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  stats(): ServerStats {
    return this.#lastStats ?? this.#stats();
  }

  /** The native bytes that this server can ever use, before it starts. V8's heaps come on top. */
  memoryPlan(): { totalBytes: number; parts: { name: string; bytes: number }[] } {
    const parts = native.memoryPlan(this.#options.numbers, this.#options.framingWords);
    return { totalBytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), parts };
  }

  connections(options: { sort?: keyof ConnectionInfo; limit?: number } = {}): ConnectionInfo[] {
    checkObject('options', options);
    const limit = integerOption('options.limit', options.limit, { min: 0, default: Number.MAX_SAFE_INTEGER });
    const key = options.sort === undefined ? undefined : checkOneOf('options.sort', options.sort, SORT_KEYS);
    const all = this.#id === undefined ? [] : native.connections(this.#id).map(connectionInfo);
    if (key !== undefined) all.sort((a, b) => compare(b[key], a[key]));
    return all.slice(0, limit);
  }

  /** @returns how many subscribers it reaches, on whatever worker they are; 0 before listen() */
  publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): number {
    checkPublish(topic, payload, options);
    if (this.#closing !== undefined)
      throw makeError('ERR_SERVER_CLOSED', 'The server is closed: publish before, not after');
    if (this.#id === undefined) return 0;
    this.#publisher ??= Publisher.attach(this.share());
    return this.#publisher.publish(topic, payload, options);
  }

  /** For `Publisher.attach` on any thread of the process. @throws Error `ERR_SERVER_CLOSED` when not listening */
  share(): SharedToken<'server'> {
    if (this.#id === undefined)
      throw makeError('ERR_SERVER_CLOSED', 'The server does not listen: share() after listen()');
    return encodeToken(this.#id, this.#options.framing);
  }

  // --- Start ---

  #mayStart(signal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw makeError('ERR_SERVER_CLOSED', 'The server was closed while it started');
    throwIfAborted(signal);
  }

  async #start(): Promise<void> {
    const { handler, numbers, framingWords, framing, inboxCapacity, highWaterBytes, lowWaterBytes, workerData } =
      this.#options;
    const id = native.create(numbers, framingWords);
    if (id < 0) throw systemError(id, native.lastSyscall(), {});
    this.#id = id;
    this.#lastStats = undefined;
    if (this.#paused) this.#control('pause');
    native.onAnnounced(id, () => this.#announced());
    this.#reference(this.#referenced);
    // Not from within the batch: what a listener throws is not the batch's.
    const onHandlerError = (error: Error, info: ConnectionInfo) =>
      process.nextTick(() => this.emit('handlerError', error, info));
    if (typeof handler === 'string' && this.#options.workers > 0) {
      this.#workers = new WorkerGroup(id, this.#options, {
        warn: (report) => this.emit('warn', report),
        stuck: (report) => this.emit('stuck', report),
        replaced: (report) => this.emit('replaced', report),
        error: (error) => this.emit('error', error),
        handlerError: onHandlerError,
      });
      this.#workers.setReferenced(this.#referenced);
      await this.#workers.start();
      return;
    }
    const loaded = typeof handler === 'string' ? await loadHandler(handler) : handler;
    this.#mayStart(undefined);
    this.#context = new WorkerContextImpl(0, workerData);
    this.#runtime = new WorkerRuntime({
      token: { id, nonce: native.token(id) },
      workerIndex: 0,
      handler: loaded,
      framing,
      inboxCapacity,
      highWaterBytes,
      lowWaterBytes,
      onHandlerError,
    });
    this.#context.attach(this.#runtime);
    const context = this.#context;
    try {
      await loaded.start?.(context);
    } catch (cause) {
      throw typeof handler === 'string' ? moduleError(cause) : cause;
    }
    this.#stop = async () => loaded.stop?.(context);
    this.#runtime.begin();
  }

  #bind(where: CheckedListen, host: string): void {
    const { reusePort } = this.#options;
    if (this.listenerCount('connection') > 0) this.#control('announce');
    const fd = native.listen(
      this.#id!,
      where.kind,
      where.kind === 1 ? where.path : host,
      where.value,
      where.backlog,
      where.ipv6Only,
      reusePort,
    );
    if (fd < 0) {
      const details =
        where.kind === 0
          ? { address: host === '' ? '::' : host, port: where.value }
          : where.kind === 1
            ? { address: where.path }
            : {};
      throw systemError(fd, native.lastSyscall(), details);
    }
    const bound = native.localAddress(fd);
    this.#address =
      where.kind === 1 || bound?.address === undefined
        ? where.path
        : { address: bound.address, family: bound.family!, port: bound.port! };
  }

  // --- While it runs ---

  #look(): void {
    this.#workers?.watch();
    const { warnAfterMs } = this.#options;
    const elapsedMs = this.#runtime?.takeLongestMs() ?? 0;
    if (warnAfterMs > 0 && elapsedMs >= warnAfterMs) this.emit('warn', { workerIndex: 0, elapsedMs });
    const { usedBytes, memoryShort } = serverFigures(this.#id);
    if (memoryShort === this.#memoryShort) return;
    this.#memoryShort = memoryShort;
    this.emit('overload', {
      usedBytes,
      maxBytes: this.#options.maxBytes,
      action: memoryShort ? 'pause-reads' : 'recovered',
    });
  }

  #announced(): void {
    for (;;) {
      const rows = this.#id === undefined ? [] : native.announced(this.#id);
      if (rows.length === 0) return;
      for (const row of rows) this.emit('connection', connectionInfo(row));
    }
  }

  #control(what: Parameters<typeof native.control>[1]): void {
    if (this.#id !== undefined) native.control(this.#id, what);
  }

  #reference(on: boolean): this {
    this.#referenced = on;
    if (this.#id !== undefined) native.setReferenced(this.#id, on);
    this.#workers?.setReferenced(on);
    return this;
  }

  // --- End ---

  async #close(drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#forget?.();
    if (this.#listening) {
      this.#listening = false;
      this.#control('stopListening');
      if (typeof this.#address === 'string') removeSocket(this.#address);
      this.#publisher?.close();
      this.#control('endAll');
      await this.#emptied(drainMs, signal);
      this.#control('closeAll');
      await this.#emptied(1_000, undefined);
    }
    const error = await this.#tearDown();
    this.#address = null;
    this.emit('close');
    if (error === undefined) return;
    if (this.listenerCount('error') === 0) throw error;
    this.emit('error', error);
  }

  /** Until no connection is left, or time is up. */
  async #emptied(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const until = performance.now() + ms;
    while (this.#id !== undefined && performance.now() < until && signal?.aborted !== true) {
      if (serverFigures(this.#id).connections.open === 0) return;
      const timer = new AbortController();
      const wake = () => timer.abort();
      signal?.addEventListener('abort', wake, { once: true });
      await new Promise<void>((resolve) => {
        const wait = setTimeout(resolve, POLL_MS);
        timer.signal.addEventListener('abort', () => (clearTimeout(wait), resolve()), { once: true });
      });
      signal?.removeEventListener('abort', wake);
    }
  }

  /** Answers what a handler's `stop` failed with. */
  async #tearDown(): Promise<Error | undefined> {
    clearInterval(this.#watch);
    this.#publisher?.close();
    this.#publisher = undefined;
    this.#context?.abort();
    const error = (await this.#workers?.stop()) ?? (await this.#stop?.().then(() => undefined, asError));
    this.#stop = undefined;
    this.#runtime?.detach();
    const id = this.#id;
    if (id === undefined) return error;
    this.#lastStats = this.#stats();
    this.#id = undefined;
    native.destroy(id);
    return error;
  }

  #stats(): ServerStats {
    return collectStats({
      id: this.#id,
      inboxes: Math.max(1, this.#options.workers),
      planBytes: this.memoryPlan().totalBytes,
      workers: this.#workers?.stats(),
    });
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal.reason);
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === undefined) return -1;
  if (b === undefined) return 1;
  return (a as number) < (b as number) ? -1 : 1;
}

function removeSocket(path: string): void {
  if (path === '' || path.startsWith('\0')) return;
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or no longer ours to remove: that is no reason not to close.
  }
}
