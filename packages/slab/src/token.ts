import { makeToken, readToken, sharedGone, type SharedTokenFields } from '@millrace/native';
import { native } from './native.js';
import type { SharedToken } from './types.js';

const KIND = 'slab';

/** Of the slab in the handle register. */
export function takeToken(): SharedToken<typeof KIND> & SharedTokenFields<typeof KIND> {
  return makeToken(KIND, { ...native.share(), copy: native.copy });
}

/** A handle on the token's slab. */
export function attachToken(token: unknown): number {
  const { id, nonce } = readToken(KIND, token, { copy: native.copy, package: '@millrace/slab' });
  const handle = native.attach(id, nonce);
  if (handle < 0) throw sharedGone(KIND);
  return handle;
}
