import { makeToken, readToken, sharedGone, type SharedTokenFields } from '@millrace/native';
import { keyCodecs } from './key-codec.js';
import { native } from './native.js';
import { RawMap } from './raw-map.js';
import { BYTES, COUNT, u32 } from './registers.js';
import type { SharedToken } from './types.js';
import { valueCodecs } from './value-codec.js';

const KIND = 'concurrent-map';

export function tokenOf<Shape>(map: RawMap): SharedToken<typeof KIND, Shape> & SharedTokenFields<typeof KIND> {
  return makeToken(KIND, { ...map.share(), copy: native.copy });
}

export function attachToken(token: unknown): RawMap {
  const { id, nonce } = readToken(KIND, token, { copy: native.copy, package: '@millrace/concurrent-map' });
  const handle = native.attach(id, nonce);
  if (handle < 0) throw sharedGone(KIND);
  const [key, value] = [u32[COUNT], u32[BYTES]];
  return new RawMap(
    handle,
    Object.values(keyCodecs).find(({ code }) => code === key)!,
    Object.values(valueCodecs).find(({ code }) => code === value)!,
  );
}
