import { rangeError, typeError, valueError } from './errors.js';
import type { RawValue } from './native.js';
import { f64, i64, takeFromPool, u32, VALUE } from './registers.js';
import type { ValueKind } from './types.js';

/** A checked value: `write` runs no code of the user's. */
export type Ready = string | Uint8Array | number | bigint;

/** How values of one kind pass to the addon and come back. */
export interface ValueCodec {
  /** The number by which the addon knows the kind. */
  readonly code: number;
  /** Whether the addon leaves values in the pool. */
  readonly pooled: boolean;
  /** Checks a value. May run code of the user's: `toJSON`. */
  prepare(name: string, value: unknown): Ready;
  /** The argument for a checked value, or undefined: it is in the register now (VALUE or EXPECTED). */
  write(ready: Ready, register: number): RawValue;
  /** What a call has answered, as the caller gets it. */
  read(answer: string | undefined): unknown;
  /** What `update` answers for the value its function made. */
  made(value: unknown): unknown;
  /** A value out of a scan. */
  scanned(raw: unknown): unknown;
}

const same = (value: unknown): unknown => value;

const bytes: ValueCodec = {
  code: 0,
  pooled: true,
  prepare(name, value) {
    if (!(value instanceof Uint8Array)) throw typeError(name, 'an instance of Buffer or Uint8Array', value);
    return value;
  },
  write: (ready) => ready as Uint8Array,
  read: takeFromPool,
  made: (value) => Buffer.from(value as Uint8Array),
  scanned: same,
};

const string: ValueCodec = {
  code: 1,
  pooled: false,
  prepare(name, value) {
    if (typeof value !== 'string') throw typeError(name, 'of type string', value);
    return value;
  },
  write: (ready) => ready as string,
  read: same,
  made: same,
  scanned: same,
};

const number: ValueCodec = {
  code: 2,
  pooled: false,
  prepare(name, value) {
    if (typeof value !== 'number') throw typeError(name, 'of type number', value);
    return value;
  },
  write(ready, register) {
    // update() keeps what it has read as bits: a NaN may have others than a number would give it.
    if (typeof ready === 'bigint') i64[register] = ready;
    else f64[register] = ready as number;
    return undefined;
  },
  read: () => f64[VALUE],
  made: same,
  scanned: same,
};

const integer: ValueCodec = {
  code: 3,
  pooled: false,
  prepare(name, value) {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) throw rangeError(name, 'a safe integer', value);
      return value;
    }
    if (typeof value !== 'bigint') throw typeError(name, 'of type number or bigint', value);
    if (BigInt.asIntN(64, value) !== value) throw rangeError(name, '>= -(2n ** 63n) && < 2n ** 63n', value);
    return value;
  },
  write(ready, register) {
    if (typeof ready === 'number') {
      u32[register * 2] = ready;
      u32[register * 2 + 1] = Math.floor(ready / 0x1_0000_0000);
    } else {
      i64[register] = ready as bigint;
    }
    return undefined;
  },
  read: () => i64[VALUE],
  made: (value) => BigInt(value as number | bigint),
  scanned: same,
};

const json: ValueCodec = {
  code: 4,
  pooled: false,
  prepare(name, value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw valueError(name, 'must be something that JSON.stringify can write', value);
    return text;
  },
  write: (ready) => ready as string,
  read: (answer) => JSON.parse(answer!) as unknown,
  made: same,
  scanned: (raw) => JSON.parse(raw as string) as unknown,
};

export const valueCodecs: Readonly<Record<ValueKind, ValueCodec>> = { bytes, string, f64: number, i64: integer, json };
