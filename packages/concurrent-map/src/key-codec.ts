import { rangeError, typeError } from './errors.js';
import type { RawKey } from './native.js';
import { KEY, u32, u64 } from './registers.js';
import type { ConnectionKey, KeyKind } from './types.js';

const LOW = KEY * 2;
const HIGH = LOW + 1;
const TWO_32 = 0x1_0000_0000;

/** How keys of one kind pass to the addon and come back from a scan. */
export interface KeyCodec {
  /** The number by which the addon knows the kind. */
  readonly code: number;
  /** Checks a key; answers it, or puts it into its register, from when on no code of the user's may run. */
  encode(key: unknown): RawKey;
  /** A key out of a scan. */
  decode(raw: unknown): unknown;
}

const string: KeyCodec = {
  code: 0,
  encode(key) {
    if (typeof key !== 'string') throw typeError('key', 'of type string', key);
    return key;
  },
  decode: (raw) => raw,
};

const word: KeyCodec = {
  code: 1,
  encode(key) {
    if (typeof key === 'number') {
      if (!Number.isSafeInteger(key) || key < 0) throw rangeError('key', 'an integer >= 0 && <= 2^53 - 1', key);
      u32[LOW] = key;
      u32[HIGH] = key / TWO_32;
    } else {
      u64[KEY] = checkU64(key);
    }
    return undefined;
  },
  decode: (raw) => raw,
};

function checkU64(key: unknown): bigint {
  if (typeof key !== 'bigint') throw typeError('key', 'of type number or bigint', key);
  if (key < 0n || key > 0xffff_ffff_ffff_ffffn) throw rangeError('key', '>= 0n && < 2n ** 64n', key);
  return key;
}

const connection: KeyCodec = {
  code: 2,
  encode(key) {
    if (typeof key !== 'object' || key === null) {
      throw typeError('key', 'an object with the numbers fd and sequence', key);
    }
    const { fd, sequence } = key as ConnectionKey;
    checkU32('key.fd', fd);
    checkU32('key.sequence', sequence);
    u32[LOW] = fd;
    u32[HIGH] = sequence;
    return undefined;
  },
  decode(raw): ConnectionKey {
    const packed = raw as bigint;
    return { fd: Number(packed & 0xffff_ffffn), sequence: Number(packed >> 32n) };
  },
};

function checkU32(name: string, value: unknown): void {
  if (typeof value !== 'number') throw typeError(name, 'of type number', value);
  if (value >>> 0 !== value) throw rangeError(name, 'an integer >= 0 && < 2^32', value);
}

export const keyCodecs: Readonly<Record<KeyKind, KeyCodec>> = { string, u64: word, 'fd-sequence': connection };
