import { errors } from './errors.js';
import { HEADER_BYTES, MAX_ROWS, ROW_BYTES } from './native.js';
import type { FeedKeyKind } from './types.js';

const KEY_AT = 8; // byte of a row
const KEY_BYTES = 16;
const MAX_U64 = 2n ** 64n - 1n;

/** Puts the key of the next push into a handle's key cell. Throws for what is no key of the kind. */
export type KeyWriter = (key: unknown) => void;

/** The key of a row of a lease table. */
export type KeyReader = (row: number) => unknown;

export function keyWriter(kind: FeedKeyKind, cell: ArrayBuffer): KeyWriter {
  if (kind === 'u32') return u32Writer(new Uint32Array(cell));
  if (kind === 'u64') return u64Writer(new BigUint64Array(cell));
  if (kind === 'ascii16') return textWriter(new Uint8Array(cell));
  return () => {};
}

export function keyReader(kind: FeedKeyKind, table: ArrayBuffer): KeyReader {
  if (kind === 'u32') {
    const words = new Uint32Array(table);
    return (row) => words[(HEADER_BYTES + row * ROW_BYTES + KEY_AT) / 4];
  }
  if (kind === 'u64') {
    const words = new BigUint64Array(table);
    return (row) => words[(HEADER_BYTES + row * ROW_BYTES + KEY_AT) / 8];
  }
  return kind === 'ascii16' ? textReader(table) : () => undefined;
}

function u32Writer(words: Uint32Array): KeyWriter {
  return (key) => {
    if (typeof key !== 'number') throw errors.keyType('number', key);
    if (key >>> 0 !== key) throw errors.keyNumber('an integer >= 0 && < 2 ** 32', key);
    words[0] = key;
  };
}

function u64Writer(words: BigUint64Array): KeyWriter {
  return (key) => {
    if (typeof key !== 'bigint') throw errors.keyType('bigint', key);
    if (key < 0n || key > MAX_U64) throw errors.keyNumber('>= 0n && < 2n ** 64n', key);
    words[0] = key;
  };
}

function textWriter(bytes: Uint8Array): KeyWriter {
  let last: string | undefined;
  return (key) => {
    if (key === last) return;
    if (typeof key !== 'string') throw errors.keyType('string', key);
    if (key.length > KEY_BYTES) throw errors.keyText(key);
    last = undefined;
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      if (code === 0 || code > 0x7f) throw errors.keyText(key);
      bytes[i] = code;
    }
    bytes.fill(0, key.length);
    last = key;
  };
}

const CACHED_TEXTS = 2 * MAX_ROWS;

/**
 * A feed has few keys and many messages: each text is decoded once and found again by its 16 bytes. Two texts that
 * want the same place take turns there.
 */
function textReader(table: ArrayBuffer): KeyReader {
  const words = new Int32Array(table);
  const bytes = Buffer.from(table);
  const cachedWords = new Int32Array(CACHED_TEXTS * 4);
  const cachedTexts = new Array<string>(CACHED_TEXTS).fill('');
  return (row) => {
    const at = (HEADER_BYTES + row * ROW_BYTES + KEY_AT) / 4;
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    const mixed = Math.imul(
      a ^ Math.imul(b, 0x9e3779b1) ^ Math.imul(c, 0x85ebca6b) ^ Math.imul(d, 0xc2b2ae35),
      0x27d4eb2f,
    );
    const place = (mixed ^ (mixed >>> 15)) & (CACHED_TEXTS - 1);
    const cached = place * 4;
    if (
      cachedWords[cached] !== a ||
      cachedWords[cached + 1] !== b ||
      cachedWords[cached + 2] !== c ||
      cachedWords[cached + 3] !== d
    ) {
      cachedWords[cached] = a;
      cachedWords[cached + 1] = b;
      cachedWords[cached + 2] = c;
      cachedWords[cached + 3] = d;
      cachedTexts[place] = decode(bytes, at * 4);
    }
    return cachedTexts[place];
  };
}

function decode(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end === -1 || end > start + KEY_BYTES ? start + KEY_BYTES : end);
}
