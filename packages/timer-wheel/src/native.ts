import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal What src/binding.cc exports. Where nothing else is said, a call works on the registers (registers.ts). */
export interface TimerAddon {
  schedule(): void;
  cancel(): void;
  reschedule(): void;
  scheduleMany(delaysMs: Uint32Array, ids: Uint32Array, handles: Float64Array): void;
  cancelMany(handles: Float64Array): void;
  advance(): Uint32Array | undefined;
  size(): void;
  nextExpiry(): void;
  now(): void;
  /** A handle, or a negative errno. `manual`: 0 or 1. */
  open(capacity: number, tickMs: number, manual: number): number;
  /** A handle, or −1: no such wheel lives. The status is DONE if its clock is manual. */
  attach(id: number, nonce: number): number;
  /** Whether live timers keep the event loop alive: 0 or 1. */
  reference(handle: number, referenced: number): void;
  close(handle: number): void;
  share(handle: number): { id: number; nonce: number };
  /** The memory of the nodes and of the log: what cancel-log.ts cancels in. Undefined for a large wheel. */
  inside(): { nodes: ArrayBuffer; log: ArrayBuffer } | undefined;
  detachView(buffer: ArrayBuffer): void;
  /** `dispatch` is called in the event loop with what has expired. */
  use(registers: Uint8Array, dispatch: (handle: number, ids: Uint32Array) => void): void;
  readonly copy: number;
  readonly cancelLogCapacity: number;
  readonly maxCapacity: number;
  readonly maxMs: number;
  readonly registerBytes: number;
}

/** @internal */
export const native = loadAddon<TimerAddon>(path.join(__dirname, '..'));
