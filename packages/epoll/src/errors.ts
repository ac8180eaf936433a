import { getSystemErrorMap } from 'node:util';
import { codedError } from '@millrace/native';

/** The `code` of every error that this package throws, but those of the system: `EBADF`, `EEXIST`, `EPERM` and so on. */
export type ErrorCode =
  /** An Epoll or EpollSet was used after `close()`. */
  | 'ERR_EPOLL_CLOSED'
  /** An EventFd was used after `close()`. */
  | 'ERR_EVENT_FD_CLOSED'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_OUT_OF_RANGE'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM';

export function closedError(code: ErrorCode, kind: string): Error {
  return codedError(code, `The ${kind} is closed. Use it before close(), or make another one`);
}

/** As Node makes them. `errno` is negative. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(errno) ?? [`Unknown system error ${errno}`, 'unknown error'];
  return codedError(code, `${code}: ${text}, ${syscall}`, { errno, syscall });
}

/** Throws what a negative result stands for; answers others. */
export function checkResult(result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall);
  return result;
}
