import { getSystemErrorName, inspect, types } from 'node:util';
import type { ErrorCode as FramingErrorCode } from '@millrace/framing';
import { codedError, type CodedErrorOptions } from '@millrace/native';

/** Every `code` that this package's errors have, beside those of the system (`EADDRINUSE` …). */
export type ErrorCode =
  | FramingErrorCode
  | 'ERR_SERVER_CLOSED'
  | 'ERR_SERVER_LISTENING'
  | 'ERR_SERVER_MEMORY'
  | 'ERR_SERVER_TOPOLOGY'
  | 'ERR_SERVER_SUBSCRIPTIONS'
  | 'ERR_SERVER_WORKER'
  | 'ERR_CONNECTION_ENDED'
  | 'ERR_CONNECTION_IN_USE'
  | 'ERR_WORKER_MODULE'
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_SHARED_GONE'
  | 'ABORT_ERR';

/** The one place that makes this package's own errors. */
export function makeError(code: ErrorCode, message: string, options?: CodedErrorOptions): Error & { code: ErrorCode } {
  return codedError(code, message, options);
}

/** As Node words them: `listen EADDRINUSE: address already in use 127.0.0.1:80`. */
export function systemError(errno: number, syscall: string, details: { address?: string; port?: number }): Error {
  const code = getSystemErrorName(errno);
  const port = details.port === undefined || details.port === 0 ? '' : `:${details.port}`;
  const where = details.address === undefined ? '' : ` ${details.address}${port}`;
  const text = SYSTEM_TEXTS[code] ?? 'the system refused it';
  return codedError(code, `${syscall} ${code}: ${text}${where}`, { errno, syscall, ...details });
}

const SYSTEM_TEXTS: Record<string, string> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available',
  EACCES: 'permission denied',
  EAFNOSUPPORT: 'address family not supported',
  EBADF: 'bad file descriptor',
  EINVAL: 'invalid argument',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'name too long',
  ENOENT: 'no such file or directory',
  ENOMEM: 'not enough memory',
  ENOTSOCK: 'socket operation on non-socket',
};

export function abortError(reason: unknown): Error {
  const error = makeError('ABORT_ERR', 'The operation was aborted', { cause: reason });
  error.name = 'AbortError';
  return error;
}

export function frameIncomplete(): Error {
  return makeError(
    'ERR_FRAME_INCOMPLETE',
    'The peer ended its side in the middle of a frame: what it sent of that is lost',
  );
}

/** The handler's module, or its `start`, failed. */
export function moduleError(cause: unknown): Error {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_MODULE') return cause as Error;
  return makeError('ERR_WORKER_MODULE', `The handler's module or its start() failed: ${String(cause)}`, { cause });
}

/** What a handler threw, whatever it is, as an Error. */
export function asError(thrown: unknown): Error {
  // Also one of another realm, which is no instance of this one's Error. A proxy's traps may throw at any use.
  if (types.isNativeError(thrown) || (!types.isProxy(thrown) && thrown instanceof Error)) return thrown;
  return makeError('ERR_SERVER_WORKER', `A handler threw ${textOf(thrown)}, which is no Error`, { cause: thrown });
}

/** An object may say itself how it is shown, and fail at that. */
function textOf(thrown: unknown): string {
  try {
    return inspect(thrown);
  } catch {
    return 'a value that cannot be shown';
  }
}
