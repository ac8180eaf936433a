import { native } from './native.js';

/**
 * The numbers that pass between this thread and its addon; the picture is in environment.h. Whoever makes a call runs no
 * code of the user's between its first register and the call: that code might use a wheel too.
 */
const memory = new ArrayBuffer(32);
if (native.registerBytes !== memory.byteLength) throw new Error('registers.ts and environment.h differ');

export const u32 = new Uint32Array(memory);
export const f64 = new Float64Array(memory);

/** Indices into `u32`. */
export const WHEEL = 0;
export const STATUS = 1;
export const ID = 6;

/** Indices into `f64`. */
export const NUMBER = 1;
export const TIMER = 2;

/** Status. */
export const DONE = 1;
export const CLOSED = 2;

/** Who is told of a wheel's expired ids, by its handle. */
export const listeners = new Map<number, (ids: Uint32Array) => void>();

native.use(new Uint8Array(memory), (handle, ids) => listeners.get(handle)?.(ids));
