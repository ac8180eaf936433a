import { getSystemErrorName } from 'node:util';
import { codedError } from '@millrace/native';
import { native } from './native.js';
import { checkSlabOptions } from './options.js';
import * as r from './registers.js';
import { attachToken } from './token.js';
import type { SlabOptions } from './types.js';

/** One thread's handle on a slab, as the addon knows it. */
export interface OpenSlab {
  readonly handle: number;
  readonly timer: NodeJS.Timeout | undefined;
}

/** What `SlabAllocator.attach` gives its constructor in the place of options. */
export class AttachedSlab implements OpenSlab {
  readonly handle: number;
  readonly timer = undefined;

  constructor(token: unknown) {
    this.handle = attachToken(token);
  }
}

export function openSlab(options: SlabOptions): OpenSlab {
  const { words, decayMs } = checkSlabOptions(options);
  const handle = native.open(...words);
  if (handle < 0) {
    const code = getSystemErrorName(handle);
    const message = `${code}: no address space for a slab of ${words[0]} bytes, mmap. Lower maxBytes, or raise "ulimit -v"`;
    throw codedError(code, message, { errno: handle, syscall: 'mmap' });
  }
  // The timer knows the handle only: a slab that nobody can reach any more is collected all the same.
  return { handle, timer: decayMs === 0 ? undefined : setInterval(decay, decayMs, handle).unref() };
}

function decay(handle: number): void {
  r.u32[r.HANDLE] = handle;
  native.decay();
}

export function closeSlab({ handle, timer }: OpenSlab): void {
  clearInterval(timer);
  native.close(handle);
}
