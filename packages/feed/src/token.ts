import { makeToken, readToken, sharedGone } from '@millrace/native';
import { addon, type NativeFeed } from './native.js';
import type { FeedKeyKind, SharedToken } from './types.js';

export function tokenOf<K extends FeedKeyKind>({ id, nonce }: NativeFeed): SharedToken<'feed', K> {
  return makeToken('feed', { id, nonce, copy: addon.copy });
}

export function attachToken(token: SharedToken<'feed', FeedKeyKind>): NativeFeed {
  const { id, nonce } = readToken('feed', token, { copy: addon.copy, package: '@millrace/feed' });
  const native = addon.attach(id, nonce);
  if (native === null) throw sharedGone('feed');
  return native;
}
