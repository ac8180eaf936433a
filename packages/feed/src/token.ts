import { errors } from './errors.js';
import { addon, type NativeFeed } from './native.js';
import type { FeedKeyKind, SharedToken } from './types.js';

/** `nonce` tells apart copies of this package that are loaded in one process. */
export interface FeedToken<K extends FeedKeyKind = FeedKeyKind> extends SharedToken<'feed', K> {
  readonly nonce: number;
}

export function tokenOf<K extends FeedKeyKind>(native: NativeFeed): FeedToken<K> {
  return { kind: 'feed', id: native.id, nonce: addon.nonce };
}

export function attachToken(token: SharedToken<'feed', FeedKeyKind>): NativeFeed {
  const given = token as Partial<FeedToken> | null | undefined;
  if (given?.kind !== 'feed' || given.nonce !== addon.nonce || !Number.isInteger(given.id))
    throw errors.layoutMismatch();
  const native = addon.attach(given.id!);
  if (native === null) throw errors.sharedGone();
  return native;
}
