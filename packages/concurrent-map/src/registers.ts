/**
 * The numbers that pass between this thread and its addon (the picture is in registers.h), and the pool in which it
 * leaves values of bytes. Whoever makes a call runs no code of the user's between its first register and the call: that
 * code might use a map too.
 */
import { markAsUntransferable } from 'node:worker_threads';
import { native } from './native.js';

const { registers: at } = native;
const memory = new ArrayBuffer(at.end);

export const u32 = new Uint32Array(memory);
export const f64 = new Float64Array(memory);
export const i64 = new BigInt64Array(memory);
export const u64 = new BigUint64Array(memory);

/** Indices into `u32`. */
export const MAP = at.map / 4;
export const STATUS = at.status / 4;
export const CONDITION = at.condition / 4;
export const TTL = at.ttl / 4;
export const COUNT = at.count / 4;
export const BYTES = at.bytes / 4;
export const FLAG = at.flag / 4;
const POOL_OFFSET = at.poolOffset / 4;

/** Indices into `f64`, `i64` and `u64`. */
export const TTL_MS = at.ttlMs / 8;
export const KEY = at.key / 8;
export const VALUE = at.value / 8;
export const EXPECTED = at.expected / 8;
export const NUMBER = at.number / 8;

/** Status, as registers.h has it. */
export const UNCHANGED = 0;
export const DONE = 1;
export const FULL = 2;
export const TOO_LARGE = 3;
export const NEEDS_ROOM = 4;
export const CLOSED = 5;
export const OVERFLOW = 6;

/** Condition. */
export const ALWAYS = 0;
export const IF_ABSENT = 1;
export const IF_PRESENT = 2;

const TTL_NEVER = 0;
const TTL_KEEP = 1;
const TTL_AFTER = 2;

export function setTtl(ttlMs: number | 'keep' | undefined): void {
  if (ttlMs === undefined) {
    u32[TTL] = TTL_NEVER;
  } else if (ttlMs === 'keep') {
    u32[TTL] = TTL_KEEP;
  } else {
    u32[TTL] = TTL_AFTER;
    f64[TTL_MS] = ttlMs;
  }
}

/** A Buffer over `memory`: what Buffer's own methods make, at a third of the price of Buffer.from. */
const FastBuffer = (
  Buffer as unknown as Record<symbol, new (memory: ArrayBuffer, offset: number, length: number) => Buffer>
)[Symbol.species]!;

const POOL_BYTES = 32 * 1024;
/** Longer values get memory of their own, so that a pool is not thrown away half empty. */
const LONGEST_POOLED = POOL_BYTES / 4;

let pool: ArrayBuffer;
newPool();

function newPool(): void {
  pool = new ArrayBuffer(POOL_BYTES);
  markAsUntransferable(pool);
  u32[POOL_OFFSET] = 0;
  native.use(new Uint8Array(memory), new Uint8Array(pool));
}

/** Before a call that may leave a value in the pool: somebody may have detached it (`buffer.buffer.transfer()`). */
export function checkPool(): void {
  if (pool.byteLength === 0) newPool();
}

/** The value of bytes that the last call left in the pool: the caller's from now on. */
export function takeFromPool(): Buffer {
  const offset = u32[POOL_OFFSET]!;
  const length = u32[BYTES]!;
  u32[POOL_OFFSET] = (offset + length + 7) & ~7;
  return new FastBuffer(pool, offset, length);
}

/** After NEEDS_ROOM: makes room in the pool and answers undefined, or answers memory for a call with a target. */
export function roomForBytes(): Buffer | undefined {
  const length = u32[BYTES]!;
  if (length > LONGEST_POOLED) return Buffer.allocUnsafeSlow(length);
  newPool();
  return undefined;
}
