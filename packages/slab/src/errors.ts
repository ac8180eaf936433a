import { getSystemErrorName, inspect } from 'node:util';
import { codedError } from '@millrace/native';
import { DOUBLE_FREE, FOREIGN, OVERRUN } from './registers.js';

/** The `code` of every error that this package throws; `GrowableBuffer` also throws Node's of `open`, `fallocate` and `mmap`. */
export type ErrorCode =
  /** Used after `close()`. */
  | 'ERR_SLAB_CLOSED'
  /** No free block of that size, and no free page to make one of. */
  | 'ERR_SLAB_EXHAUSTED'
  /** No live block starts there. */
  | 'ERR_SLAB_INVALID_BLOCK'
  /** More than a growable buffer's `maxBytes`. */
  | 'ERR_SLAB_BUFFER_FULL'
  /** The folder for a growable buffer's file is in memory. */
  | 'ERR_SLAB_MEMORY_FILE_SYSTEM'
  /** The token's slab is closed on every thread, or of another process. */
  | 'ERR_SHARED_GONE'
  /** The token was made by another copy or version of this package. */
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM';

function makeError(code: ErrorCode, message: string): Error {
  return codedError(code, message);
}

export function closedError(what: 'slab' | 'buffer'): Error {
  return makeError('ERR_SLAB_CLOSED', `The ${what} is closed on this thread. Use it before close()`);
}

export function exhaustedError(byteLength: number): Error {
  const message = `The slab has no room for a block of ${byteLength} bytes. Free blocks, raise maxBytes, or use tryAllocate()`;
  return makeError('ERR_SLAB_EXHAUSTED', message);
}

const WHAT_IS_WRONG: Readonly<Record<number, string>> = {
  [FOREIGN]: 'no block of this slab starts there',
  [DOUBLE_FREE]: 'it has been freed',
  [OVERRUN]: 'it is freed now, but bytes behind its end were written',
};

/** `status`: what the addon answered. `index`: where the offset stood in a list. */
export function blockError(offset: number, status: number, index?: number): Error {
  const why = WHAT_IS_WRONG[status];
  const where = index === undefined ? '' : ` (the first such, at index ${index}; the others were freed)`;
  const message = `Offset ${offset} is no good block: ${why}${where}. Free each offset that allocate() answered once`;
  return makeError('ERR_SLAB_INVALID_BLOCK', message);
}

export function bufferError(buffer: unknown): Error {
  const message =
    'The buffer is none that allocateBuffer() of this slab answered on this thread, or it was freed. ' +
    `Received ${inspect(buffer, { depth: 0 }).slice(0, 60)}`;
  return makeError('ERR_SLAB_INVALID_BLOCK', message);
}

export function fullError(length: number, byteLength: number, maxBytes: number): Error {
  const message =
    `${byteLength} bytes more than ${length} are above maxBytes, ${maxBytes}; nothing was appended. ` +
    'Consume first, or raise maxBytes';
  return makeError('ERR_SLAB_BUFFER_FULL', message);
}

const EMEDIUMTYPE = 124;

/** @param errno - positive @param subject - what the call was about, for the message */
export function systemError(errno: number, syscall: string, subject: string): Error {
  if (errno === EMEDIUMTYPE) {
    const message = `${subject} is on a file system in memory. Give another directory, or allowMemoryFileSystem: true`;
    return makeError('ERR_SLAB_MEMORY_FILE_SYSTEM', message);
  }
  const code = getSystemErrorName(-errno);
  return codedError(code, `${code}: ${syscall} failed for ${subject}`, { errno: -errno, syscall });
}

export function typeError(name: string, expected: string, value: unknown): Error {
  const received = inspect(value, { depth: -1 }).slice(0, 60);
  const message = `The "${name}" argument must be ${expected}. Received ${received}`;
  return codedError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}
