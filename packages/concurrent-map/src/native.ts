import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal A value as the addon takes and answers it; undefined: it is in its register, or in the pool. */
export type RawValue = string | Uint8Array | undefined;

/** @internal A key as the addon takes it; undefined: it is in its register. */
export type RawKey = string | undefined;

/** @internal What src/binding.cc exports. Calls without a result answer by the registers (src/registers.h). */
export interface MapAddon {
  get(key: RawKey, target?: Uint8Array): string | undefined;
  has(key: RawKey): void;
  set(key: RawKey, value: RawValue): void;
  exchange(key: RawKey, value: RawValue, target?: Uint8Array): string | undefined;
  compareAndSet(key: RawKey, value: RawValue, expected: RawValue): void;
  remove(key: RawKey): void;
  removeIf(key: RawKey, expected: RawValue): void;
  add(key: RawKey): void;
  ttl(key: RawKey): void;
  expire(key: RawKey): void;
  persist(key: RawKey): void;
  /** Keys, or keys and values by turns. */
  scan(): unknown[];
  getWords(keys: BigUint64Array, out: Float64Array | BigInt64Array): void;
  size(): void;
  clear(): void;
  stats(): { entries: number; usedBytes: number; maxBytes: number; expired: number; evicted: number };
  /** A handle, or the negative errno of mmap(). `capacity` 0: no limit. `evict`: 0 or 1. */
  open(key: number, value: number, maxBytes: number, capacity: number, evict: number): number;
  bytes(key: number, value: number, maxBytes: number, capacity: number, evict: number): number;
  /** A handle, or −1: no such map lives. Its kinds are in the registers `count` and `bytes`. */
  attach(id: number, nonce: number): number;
  close(handle: number): void;
  share(): { id: number; nonce: number };
  use(registers: Uint8Array, pool: Uint8Array): void;
  /** Offsets in bytes. */
  readonly registers: Readonly<Record<RegisterName, number>>;
  readonly copy: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly maxKeyBytes: number;
  readonly maxTtlMs: number;
  readonly maxRows: number;
  readonly cursorBits: number;
}

/** @internal */
export type RegisterName =
  | 'map'
  | 'status'
  | 'condition'
  | 'ttl'
  | 'ttlMs'
  | 'key'
  | 'value'
  | 'expected'
  | 'number'
  | 'count'
  | 'bytes'
  | 'poolOffset'
  | 'flag'
  | 'end';

/** @internal */
export const native = loadAddon<MapAddon>(path.join(__dirname, '..'));
