/**
 * The numbers that pass between this thread and its addon (the picture is in registers.h). Whoever makes a call runs no
 * code of the user's between its first register and the call: that code might use a slab too.
 */
import { native } from './native.js';

const { registers: at } = native;
const memory = new ArrayBuffer(at.end);

export const u32 = new Uint32Array(memory);
export const f64 = new Float64Array(memory);

/** Indices into `u32`. */
export const HANDLE = at.handle / 4;
export const STATUS = at.status / 4;
export const BYTES = at.bytes / 4;
export const OFFSET = at.offset / 4;
export const MAPPED = at.mapped / 4;
export const ERROR = at.error / 4;

/** Indices into `f64`. */
export const LENGTH = at.length / 8;
export const CAPACITY = at.capacity / 8;

/** Status, as registers.h has it. */
export const OK = 0;
export const CLOSED = 1;
export const EXHAUSTED = 2;
export const FOREIGN = 3;
export const DOUBLE_FREE = 4;
export const TOO_LONG = 5;
export const SYSTEM = 6;
export const OVERRUN = 7;

/** An offset that is none. */
export const NO_BLOCK = 0xffff_ffff;
/** A handle that is none. */
export const NO_HANDLE = 0xffff_ffff;

native.use(new Uint8Array(memory));
