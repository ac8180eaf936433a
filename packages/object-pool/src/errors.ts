import { codedError } from '@millrace/native';

/** The `code` of every error that this package throws. */
export type ErrorCode =
  /** Used after `close()`. */
  | 'ERR_OBJECT_POOL_CLOSED'
  /** A record that is not out, or of another pool. */
  | 'ERR_OBJECT_POOL_INVALID_RECORD'
  /** `getNumber` of a column of text or bytes. */
  | 'ERR_OBJECT_POOL_NOT_NUMERIC'
  /** Every thread has closed the token's pool, or it is of another process. */
  | 'ERR_SHARED_GONE'
  /** The token was made by another copy of this package, or of other fields. */
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM'
  /** No address space for a pool of this size. */
  | 'ENOMEM';

export function makeError(code: ErrorCode, message: string): Error {
  return codedError(code, message);
}

export function closedError(): Error {
  const message =
    'The pool is closed on this thread. Use it, its views and columns before close(), or attach to it again';
  return makeError('ERR_OBJECT_POOL_CLOSED', message);
}

/** @param what - the record, in words: `record 7` */
export function invalidRecordError(what: string): Error {
  const message = `${what} is not out: it was released already, or is of another pool. Release what acquire() answered, once`;
  return makeError('ERR_OBJECT_POOL_INVALID_RECORD', message);
}

export function layoutError(): Error {
  const message =
    "The token's fields are not those that the pool was made with. Pass on what share() answered, unchanged";
  return makeError('ERR_LAYOUT_MISMATCH', message);
}
