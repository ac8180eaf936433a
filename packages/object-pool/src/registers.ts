import { native } from './native.js';

/**
 * Three numbers that this thread shares with its addon, as binding.cc has them: a store costs a nanosecond, an argument
 * ten. Whoever makes a call runs no code of the user's between the first of them and the call.
 */
export const registers = new Int32Array(3);

/** In: which of the thread's handles. */
export const HANDLE = 0;
/** In and out: a record; −1: none. */
export const INDEX = 1;
/** Out: 1 if the call did what it was to do. */
export const DONE = 2;

native.use(new Uint8Array(registers.buffer));
