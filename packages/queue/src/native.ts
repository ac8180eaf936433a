import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal What calls answer instead of a length, a count or an offset: the enum of src/binding.cc. */
export const enum Answer {
  Accepted = 0,
  Empty = -1,
  Full = -2,
  Closed = -3,
  Taken = -4,
  Dropped = -5,
  TooLarge = -6,
  NotBytes = -7,
  Detached = -8,
  LoopBusy = -9,
  Failed = -10,
  /** Minus the length of the message that did not fit. */
  TooSmall = -16,
}

/** @internal A queue as this thread holds it. */
export type Handle = number;

/** @internal What src/binding.cc exports. */
export interface QueueAddon {
  push(handle: Handle, bytes: Uint8Array, waits: boolean): Answer;
  pushMany(handle: Handle, packed: Uint8Array, lengths: Uint32Array, count: number): number;
  /** So many pushes were refused. */
  giveUp(handle: Handle, pushes: number): void;
  /** The message lies at the offset in the pool. */
  pop(handle: Handle, offset: number): number;
  popInto(handle: Handle, target: Uint8Array): number;
  popMany(handle: Handle, most: number, target: Uint8Array, lengths: Uint32Array): number;
  popSync(handle: Handle, offset: number, timeoutMs: number): number;
  reserve(handle: Handle, byteLength: number): number;
  commit(handle: Handle, byteLength: number): Answer;
  /** Once a thread: the callback is told which handle's waiters are to try again. */
  watch(callback: (handle: Handle) => void): Answer;
  holdLoop(hold: boolean): void;
  enterReader(handle: Handle): void;
  settleReader(handle: Handle): void;
  enterWriter(handle: Handle): void;
  settleWriter(handle: Handle): void;
  close(handle: Handle): void;
  closed(handle: Handle): boolean;
  ended(handle: Handle): boolean;
  /** pushed, popped, dropped newest, oldest, closed, rejected, depth, high water */
  stats(handle: Handle, out: Float64Array): void;
  size(handle: Handle): number;
  /** capacity, longest message, number of the policy */
  limits(handle: Handle, out: Float64Array): void;
  address(handle: Handle): bigint;
  /** id, nonce */
  identity(handle: Handle, out: Float64Array): void;
  memory(handle: Handle): ArrayBuffer;
  /** Where pop() and popSync() put messages from now on. */
  pool(): ArrayBuffer;
  detachView(buffer: ArrayBuffer): void;
  /** A handle, or the negative errno. */
  openRing(capacity: number, maxMessageBytes: number): Handle;
  openQueue(capacity: number, messageBytes: number, overflow: number): Handle;
  /** A handle, or −1: nobody holds it any more. */
  readonly attachRing: (id: number, nonce: number) => Handle;
  readonly attachQueue: (id: number, nonce: number) => Handle;
  detach(handle: Handle): void;
  readonly copyOfRings: number;
  readonly copyOfQueues: number;
  readonly minRingBytes: number;
  readonly maxRingBytes: number;
  readonly minCapacity: number;
  readonly maxCapacity: number;
  readonly maxMessageBytes: number;
  readonly poolBytes: number;
}

/** @internal */
export const native = loadAddon<QueueAddon>(path.join(__dirname, '..'));
