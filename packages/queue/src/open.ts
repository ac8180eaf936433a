import { getSystemErrorName } from 'node:util';
import { codedError, readToken, sharedGone } from '@millrace/native';
import { errors } from './errors.js';
import type { Handle } from './native.js';

/** The handle that opening answered, unless it is a negative errno. */
export function opened(handle: Handle, bytes: number): Handle {
  if (handle >= 0) return handle;
  const code = getSystemErrorName(handle);
  const cause = codedError(code, `${code}: mmap`, { errno: handle, syscall: 'mmap' });
  throw Object.assign(errors.memory(`a queue of ${bytes} bytes: lower the capacity`), { cause });
}

/** The handle to what a token names. */
export function attached(
  kind: string,
  token: unknown,
  copy: number,
  attach: (id: number, nonce: number) => Handle,
): Handle {
  const { id, nonce } = readToken(kind, token, { copy, package: '@millrace/queue' });
  const handle = attach(id, nonce);
  if (handle < 0) throw sharedGone(kind);
  return handle;
}
