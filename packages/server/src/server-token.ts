import { raw, type Framing } from '@millrace/framing';
import { makeError } from './errors.js';
import type { SharedToken } from './types.js';

interface ServerToken extends SharedToken<'server'> {
  readonly nonce: number;
  readonly framing: Framing;
}

export function encodeToken(id: number, nonce: number, framing: Framing): SharedToken<'server'> {
  return { kind: 'server', id, nonce, framing } satisfies ServerToken as SharedToken<'server'>;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no server's token */
export function decodeFraming(token: SharedToken<'server'>): { framing: Framing; nonce: number } {
  const given = token as Partial<ServerToken> | undefined;
  if (given?.kind !== 'server' || typeof given.id !== 'number' || typeof given.nonce !== 'number') {
    throw makeError('ERR_INVALID_ARG_TYPE', `The "token" argument must be what server.share() answered`, {
      ErrorType: TypeError,
    });
  }
  return { framing: given.framing ?? raw(), nonce: given.nonce };
}
