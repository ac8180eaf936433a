import { raw, type Framing } from '@millrace/framing';
import { makeToken, readToken } from '@millrace/native';
import { native } from './native.js';
import type { SharedToken } from './types.js';

export function encodeToken(id: number, framing: Framing): SharedToken<'server'> {
  return makeToken('server', { id, nonce: native.token(id), copy: native.copy }, { framing });
}

/** @throws as readToken() of `@millrace/native` */
export function decodeToken(token: SharedToken<'server'>): { id: number; nonce: number; framing: Framing } {
  const { id, nonce } = readToken('server', token, { copy: native.copy, package: '@millrace/server' });
  const { framing = raw() } = token as { framing?: Framing };
  return { id, nonce, framing };
}
