import path from 'node:path';
import { loadAddon } from '@millrace/native';
import type { SlabStats } from './types.js';

/** @internal What a thread takes and frees blocks of its own with, without a call: see script_cache.h. */
export interface SlabInside {
  /** A ScriptCache. */
  readonly cache: ArrayBuffer;
  /** Of the slab: three arrays begin at these bytes. */
  readonly metadata: ArrayBuffer;
  readonly units: number;
  readonly slack: number;
  readonly pageClass: number;
  /** Of the arena. */
  readonly pages: number;
  /** What marks a live block of this handle's. */
  readonly live: number;
  /** By size class. */
  readonly sizes: readonly number[];
  readonly limits: readonly number[];
}

/** @internal What src/binding.cc exports. Numbers pass by the registers (src/registers.h). */
export interface SlabAddon {
  allocate(): void;
  free(): void;
  allocateMany(out: Uint32Array): void;
  freeMany(offsets: Uint32Array): void;
  /** 1: this handle; 0: nobody. */
  setOwner(mine: 0 | 1): void;
  readonly blockBytes: () => void;
  readonly trim: () => number;
  decay(): number;
  readonly memory: () => ArrayBuffer;
  inside(): SlabInside;
  allocateBuffer(): ArrayBuffer;
  freeBuffer(buffer: ArrayBuffer): void;
  readonly stats: () => SlabStats;
  /** A handle, or the negative errno of mmap(). */
  open(maxBytes: number, minBlockBytes: number, maxBlockBytes: number, growth: number): number;
  /** A handle, or −1: no such slab lives. */
  attach(id: number, nonce: number): number;
  share(): { id: number; nonce: number };
  close(handle: number): void;
  detachView(buffer: ArrayBuffer): void;
  openGrowable(initial: number, threshold: number, max: number, directory: string, allowMemory: number): number;
  /** The name of the system call that failed, where the status says so. */
  append(bytes: Uint8Array): string | undefined;
  consume(byteLength: number): void;
  /** Of a file; undefined: they are in the slab. */
  bytes(): ArrayBuffer | undefined;
  closeGrowable(handle: number): void;
  use(registers: Uint8Array): void;
  /** Offsets in bytes. */
  readonly registers: Readonly<Record<RegisterName, number>>;
  readonly copy: number;
  readonly maxBytes: number;
  readonly pageBytes: number;
  readonly cacheBlocks: number;
  readonly cacheClasses: number;
  readonly unitBytes: number;
  readonly maxBlockBytes: number;
  readonly minGrowth: number;
  readonly maxGrowth: number;
}

/** @internal */
export type RegisterName =
  'handle' | 'status' | 'bytes' | 'offset' | 'length' | 'capacity' | 'mapped' | 'error' | 'end';

/** @internal */
export const native = loadAddon<SlabAddon>(path.join(__dirname, '..'));
