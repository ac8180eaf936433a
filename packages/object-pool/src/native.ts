import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal What src/binding.cc exports. The first four work on the registers (registers.ts). */
export interface PoolAddon {
  acquire(this: void): void;
  release(this: void): void;
  handOn(this: void): void;
  adopt(this: void): void;
  size(handle: number): number;
  /** A handle, or the negative errno of mmap(). `shape`: of the fields, to be compared by attach(). */
  open(recordBytes: number, capacity: number, shape: number): number;
  /** A handle, or −1: no such pool lives; −2: it has other fields. */
  attach(id: number, nonce: number, recordBytes: number, shape: number): number;
  capacity(handle: number): number;
  /** The state that records of this handle are in. */
  mine(handle: number): number;
  records(handle: number): ArrayBuffer;
  states(handle: number): ArrayBuffer;
  share(handle: number): { id: number; nonce: number };
  /** Frees what the handle holds, and takes the memory away from its views. */
  close(handle: number, records?: ArrayBuffer, states?: ArrayBuffer): void;
  use(registers: Uint8Array): void;
  readonly copy: number;
  readonly maxCapacity: number;
  readonly maxBytes: number;
  /** From here on a state says that a record is out. */
  readonly heldBy: number;
  /** The first state above that does not. */
  readonly heldEnd: number;
}

/** @internal */
export const native = loadAddon<PoolAddon>(path.join(__dirname, '..'));
