import { checkObject } from '@millrace/native';
import { makeError, valueError } from './errors.js';
import { keyCodecs } from './key-codec.js';
import { native } from './native.js';
import { RawMap } from './raw-map.js';
import { BYTES, COUNT, u32 } from './registers.js';
import type { SharedToken } from './types.js';
import { valueCodecs } from './value-codec.js';

const KIND = 'concurrent-map';

/** What a token says beside what its type tells. Numbers are no pointers: a token can name nothing that is gone. */
interface MapToken<Shape> extends SharedToken<typeof KIND, Shape> {
  readonly nonce: number;
  readonly pid: number;
  readonly layout: number;
  /** The copy of the addon that has the map: another one in this process has a registry of its own. */
  readonly copy: number;
}

export function tokenOf<Shape>(map: RawMap): MapToken<Shape> {
  return { kind: KIND, ...map.share(), pid: process.pid, layout: native.layout, copy: native.copy };
}

export function attachToken(token: unknown): RawMap {
  const { kind, id, nonce, pid, layout, copy } = checkObject('token', token) as Partial<MapToken<unknown>>;
  if (kind !== KIND || typeof id !== 'number' || typeof nonce !== 'number') {
    throw valueError('token', 'must be what share() of a ConcurrentMap answered', token);
  }
  if (pid !== process.pid) {
    throw makeError('ERR_SHARED_GONE', `The token is of process ${pid}. A map is shared by the threads of one process`);
  }
  if (layout !== native.layout || copy !== native.copy) {
    throw makeError(
      'ERR_LAYOUT_MISMATCH',
      'The token was made by another copy of @millrace/concurrent-map, loaded in this process from another folder. ' +
        'See that all threads load the same one ("npm ls @millrace/concurrent-map", "npm dedupe")',
    );
  }
  const handle = native.attach(id, nonce);
  if (handle < 0) {
    throw makeError(
      'ERR_SHARED_GONE',
      'Every thread has closed the map that the token names. Keep one handle open until the others have attached',
    );
  }
  const [key, value] = [u32[COUNT], u32[BYTES]];
  return new RawMap(
    handle,
    Object.values(keyCodecs).find(({ code }) => code === key)!,
    Object.values(valueCodecs).find(({ code }) => code === value)!,
  );
}
