/** The addon's functions, as binding.cc exports them. Nothing here checks arguments: the callers did. */
import { join } from 'node:path';
import { loadAddon } from '@millrace/native';
import { checkLayout, type NativeLayout } from './layout.js';

/** fd, sequence, remoteAddress, remotePort, bytesRead, bytesWritten, bufferedBytes, openedAtMs, idleMs, family. */
export type ConnectionRow = [
  number,
  number,
  string | undefined,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

export interface Views {
  readonly id: number;
  readonly bridge: ArrayBuffer;
  readonly arena: ArrayBuffer;
  readonly sent: ArrayBuffer;
}

export interface WorkerViews extends Views {
  /** fd, sequence, fd, sequence …: connections that a predecessor had opened. */
  readonly open: number[];
}

export interface NativeAddress {
  readonly address?: string;
  readonly family?: 'IPv4' | 'IPv6';
  readonly port?: number;
}

export type Control = 'pause' | 'resume' | 'endAll' | 'closeAll' | 'stopListening' | 'announce' | 'silence' | 'stop';

export interface NativeServer {
  readonly layout: NativeLayout;
  readonly copy: number;
  memoryPlan(numbers: Float64Array, framing: Uint32Array): { name: string; bytes: number }[];
  /** The server's id, or a negative errno. */
  create(numbers: Float64Array, framing: Uint32Array): number;
  token(server: number): number;
  /** The system call that the last negative errno came from. */
  lastSyscall(): string;
  /** The listening descriptor, or a negative errno. kind 0: host and port, 1: path, 2: descriptor. */
  listen(
    server: number,
    kind: 0 | 1 | 2,
    text: string,
    value: number,
    backlog: number,
    ipv6Only: boolean,
    reusePort: boolean,
  ): number;
  localAddress(fd: number): NativeAddress | undefined;
  control(server: number, what: Control): void;
  destroy(server: number): void;
  onAnnounced(server: number, callback: () => void): void;
  setReferenced(server: number, referenced: boolean): void;

  /** undefined: the server is gone. null: the place is taken, or memory is short. */
  attach(
    server: number,
    nonce: number,
    worker: number,
    onBatch: (first: number, count: number) => void,
    onBusy: () => void,
  ): WorkerViews | undefined | null;
  begin(attachment: number): void;
  /** Closes the connections of a worker that will not come back, and fails its messages. */
  discard(server: number, worker: number): void;
  publisher(server: number, nonce: number): Views | undefined | null;
  drain(attachment: number): void;
  detach(attachment: number, ...views: ArrayBuffer[]): void;
  flush(attachment: number): void;
  nextBlock(attachment: number): void;
  /** A handle, or 2^32 - 1 without memory; offset and parts stand in the control words. */
  park(attachment: number, position: number): number;
  parkedBlock(attachment: number, handle: number): number;
  unpark(attachment: number, handle: number): void;

  setPaused(attachment: number, fd: number, sequence: number, bit: number, on: boolean): void;
  setIdleTimeout(attachment: number, fd: number, sequence: number, ms: number): void;
  info(attachment: number, fd: number, sequence: number): ConnectionRow | undefined;
  connections(server: number): ConnectionRow[];
  announced(server: number): ConnectionRow[];
  /** 0 added, 1 already, 2 full, 3 gone. */
  subscribe(attachment: number, fd: number, sequence: number, topic: Uint8Array, pattern: boolean): number;
  unsubscribe(attachment: number, fd: number, sequence: number, topic: Uint8Array, pattern: boolean): boolean;
  subscribers(attachment: number, exceptFd: number, exceptSequence: number, topic: Uint8Array): number;

  stats(server: number, into: Float64Array): boolean;
  worker(server: number, worker: number, into: Float64Array): boolean;
  runningConnection(server: number, worker: number): ConnectionRow | undefined;
  setEndReason(server: number, worker: number, reason: number): void;
}

export const native = loadAddon<NativeServer>(join(__dirname, '..'));
checkLayout(native.layout);
