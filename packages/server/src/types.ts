/** The public contract's types: what a user passes in and gets back. */
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { ResourceLimits } from 'node:worker_threads';
import type { Framing } from '@millrace/framing';
import type { CloseReason } from './close-reason.js';
import type { Message } from './message.js';

export type { CloseReason } from './close-reason.js';
export type { Message } from './message.js';

/** Structural on purpose: each package declares the same interface, so tokens need no common package. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

/** A message passes on its bytes where they lie, without a copy. Strings are UTF-8. */
export type Payload = Message | Uint8Array | string;

export interface ConnectionKey {
  /** The descriptor; reused as soon as the connection is closed. */
  readonly fd: number;
  /** Never reused: together with `fd` it names one connection. */
  readonly sequence: number;
}

/** A snapshot of a connection. */
export interface ConnectionInfo extends ConnectionKey {
  /** `'sequence:fd'` */
  readonly id: string;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Output that the peer has not taken. */
  readonly bufferedBytes: number;
  /** Milliseconds since 1970. */
  readonly openedAtMs: number;
  /** Since the last byte in or out. */
  readonly idleMs: number;
}

/** What `toDuplex()` answers: a stream with what `http.Server`, Fastify and Express read of a socket. */
export interface ConnectionDuplex
  extends
    Duplex,
    Pick<
      Socket,
      | 'remoteAddress'
      | 'remotePort'
      | 'remoteFamily'
      | 'localAddress'
      | 'localPort'
      | 'bytesRead'
      | 'bytesWritten'
      | 'setTimeout'
      | 'setNoDelay'
      | 'setKeepAlive'
      | 'destroySoon'
      | 'ref'
      | 'unref'
    > {}

export interface PublishOptions {
  /** What `slowConsumer: 'conflate'` tells messages apart by; −1: never replaced. Default: the topic. */
  key?: string | number | bigint;
  /** Whether the publishing connection gets it too, if it is subscribed. Default: false. */
  includeSelf?: boolean;
  /** Whether the framing is added, as `send` does. Default: true. */
  framed?: boolean;
}

export interface Connection<Data = undefined> extends ConnectionKey {
  /** `'sequence:fd'`, made on first use. */
  readonly id: string;
  /** undefined for a unix socket. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** The application's own. */
  data: Data;
  readonly closed: boolean;
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
  /** Bytes written that the peer has not taken. */
  readonly bufferedBytes: number;
  /**
   * Sends bytes as they are.
   *
   * @returns false above `highWaterBytes` (they are accepted all the same, and one `drain` follows), and
   *   on a closed connection, where nothing is sent
   * @throws Error `ERR_CONNECTION_ENDED` after one's own `end()`
   */
  write(payload: Payload): boolean;
  /** As `write`, with what the framing adds. */
  send(payload: Payload): boolean;
  /** Sends what is pending, then ends our side; the peer's input is discarded from then on. */
  end(payload?: Payload): void;
  /** Closes at once; what was not sent is lost. An Error becomes the third argument of `close`, a text nothing. */
  destroy(reason?: string | Error): void;
  /** Reads no more until `resume()`. Messages that were received already still come. */
  pause(): void;
  resume(): void;
  /** Milliseconds without a byte in or out after which the connection closes; 0: off. At most 2^32 − 1. */
  setIdleTimeout(ms: number): void;
  /**
   * Gets what is published on a topic. `*`, `?` and `[…]` make a pattern as in Redis's PSUBSCRIBE; `\`
   * takes the meaning of the next character away. What is written next is sent before any message.
   *
   * @throws Error `ERR_SERVER_SUBSCRIPTIONS` when the server's `maxSubscriptions` are in use
   */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** @returns how many subscribers it reaches, on whatever worker they are */
  publish(topic: string, payload: Payload, options?: PublishOptions): number;
  /** A stream over this connection. Call it in `open`; framing `raw()`. */
  toDuplex(): ConnectionDuplex;
}

export interface WorkerContext<WorkerData = unknown> {
  readonly workerIndex: number;
  readonly workerData: WorkerData;
  /** Aborts when the worker is to end. */
  readonly signal: AbortSignal;
  publish(topic: string, payload: Payload, options?: PublishOptions): number;
}

/**
 * What a server does with its connections. All members are optional; a handler that throws, or whose
 * promise rejects, closes that connection with `error`, and the others go on.
 */
export interface Handler<Data = undefined, WorkerData = unknown> {
  start?(context: WorkerContext<WorkerData>): void | PromiseLike<void>;
  stop?(context: WorkerContext<WorkerData>): void | PromiseLike<void>;
  /** Makes `connection.data`, before `open`. */
  data?(connection: Connection<unknown>): Data;
  /** `reopened`: the connection's worker was replaced, and `data` was made anew. */
  open?(connection: Connection<Data>, info: { reopened: boolean }): void | PromiseLike<void>;
  /** While its promise is pending, the connection's next message waits. */
  message?(connection: Connection<Data>, message: Message): void | PromiseLike<void>;
  /** The output is below `lowWaterBytes` again. */
  drain?(connection: Connection<Data>): void;
  close?(connection: Connection<Data>, reason: CloseReason, error?: Error): void;
  /** A handler failed, or the peer broke the framing (`ERR_FRAME_…`). The connection can still be written. */
  error?(connection: Connection<Data>, error: Error): void;
}

// Whatever types the application gives its data.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyHandler = Handler<any, any>;

export interface WorkerReport {
  readonly workerIndex: number;
  readonly elapsedMs: number;
  readonly stack?: string;
  readonly reason?: 'stuck' | 'exit' | 'memory' | 'error';
  readonly error?: Error;
}

export interface ServerEvents {
  listening: [];
  connection: [ConnectionInfo];
  warn: [WorkerReport];
  stuck: [WorkerReport & { connection?: ConnectionInfo }];
  replaced: [WorkerReport];
  overload: [{ usedBytes: number; maxBytes: number; action: 'pause-reads' | 'pause-accepts' | 'recovered' }];
  handlerError: [Error, ConnectionInfo];
  error: [Error];
  close: [];
}

export interface CommonOptions {
  /** Which stages share a thread. `auto` is `staged`, the only one there is so far. Default: `'auto'`. */
  topology?: 'auto' | 'staged' | 'reactor' | 'inline';
  /** For topology `reactor`; `staged` has a thread a stage whatever this says. */
  ioThreads?: number;
  /** `sticky`: a connection stays with one worker. Default, and the only one there is so far: `'sticky'`. */
  dispatch?: 'sticky' | 'shared';
  /** Default: `raw()`. */
  framing?: Framing;
  /** Without a byte in or out. Default: 0, off. */
  idleTimeoutMs?: number;
  /** From accept to the first byte in. Default: 0, off. */
  firstByteTimeoutMs?: number;
  /** From accept. Default: 0, off. */
  maxLifetimeMs?: number;
  /** More are turned away. 1 to 1,000,000. Default: 10,000. */
  maxConnections?: number;
  /** Default: 0, no limit. */
  maxConnectionsPerAddress?: number;
  /** Connections a second; more are turned away. Default: 0, no limit. */
  acceptRate?: number;
  /** Subscriptions of all connections together. Default: 4 × maxConnections. */
  maxSubscriptions?: number;
  /** Arena for everything received and not handled, written and not sent: 4 MiB to 4 GiB − 64 KiB. Default: 256 MiB. */
  memory?: { maxBytes?: number };
  /**
   * `work`: descriptors in each worker's inbox, a power of two. Default: 4096. `receive` and `send` hold
   * keys, and always have room for every connection.
   */
  queues?: { receive?: { capacity?: number }; work?: { capacity?: number }; send?: { capacity?: number } };
  connection?: {
    /** Bytes read of one connection before others have their turn. Default: 64 KiB. */
    readBudgetBytes?: number;
    /** Microseconds; 0: no limit. Default: 200. */
    readBudgetUs?: number;
    /** Output, or received bytes not handled, above which a connection is not read. Default: 64 KiB. */
    highWaterBytes?: number;
    /** Default: a quarter of highWaterBytes. */
    lowWaterBytes?: number;
    /** Output past which a connection closes, `slow-consumer`; 0: no limit but the memory's. Default: 16 MiB. */
    maxWriteBytes?: number;
    /** What becomes of published messages that a subscriber is too slow for. Default: `'pause'`. */
    slowConsumer?: 'pause' | 'disconnect' | 'drop-oldest' | 'conflate';
  };
  /**
   * A handler that runs this long is reported; with `workers: 0` afterwards, and by the batch: how long its
   * handlers kept this thread. 0: off. Default: 100.
   */
  warnAfterMs?: number;
  /** A worker whose handler runs this long is replaced. 0: off. Default: 2000. */
  stuckAfterMs?: number;
  /** TCP_NODELAY. Default: true. */
  noDelay?: boolean;
  /** SO_REUSEPORT. Default: false. */
  reusePort?: boolean;
}

export type ServerOptions = CommonOptions &
  (
    | { handler: AnyHandler; workers?: 0; workerData?: unknown }
    | {
        handler: URL | string;
        /** Threads that run handlers; 0: this one. Default: available parallelism − 1, at least 1. */
        workers?: number;
        workerData?: unknown;
        /** Bounds V8's heap of each worker, not Buffers. */
        resourceLimits?: ResourceLimits;
        env?: NodeJS.ProcessEnv;
        execArgv?: string[];
      }
  );

export interface QueueState {
  readonly capacity: number;
  readonly depth: number;
  readonly highWater: number;
  readonly passed: number;
}

export interface ServerStats {
  readonly topology: 'staged' | 'reactor' | 'inline';
  readonly connections: {
    readonly open: number;
    readonly accepted: number;
    readonly rejected: Readonly<Record<string, number>>;
    readonly closed: Readonly<Record<CloseReason, number>>;
  };
  readonly bytes: { readonly read: number; readonly written: number };
  /** received = handled + failed + dropped + inFlight, always. */
  readonly messages: {
    readonly received: number;
    readonly handled: number;
    readonly failed: number;
    readonly dropped: Readonly<Record<string, number>>;
    readonly inFlight: number;
  };
  /** offered = delivered + conflated + dropped + inFlight, counting a message once for each subscriber. */
  readonly published: {
    readonly offered: number;
    readonly delivered: number;
    readonly conflated: number;
    readonly dropped: Readonly<Record<string, number>>;
    readonly inFlight: number;
  };
  readonly queues: Readonly<Record<'receive' | 'work' | 'send', QueueState>>;
  readonly readPausedMs: number;
  readonly workers: readonly {
    readonly workerIndex: number;
    readonly state: 'idle' | 'running' | 'stuck' | 'starting' | 'gone';
    readonly runningMs: number;
    readonly handled: number;
    readonly replaced: number;
  }[];
  readonly memory: { readonly planBytes: number; readonly usedBytes: number };
}
