import { invalidValue } from '@millrace/native';
import type { FieldType } from './types.js';

export const MAX_TEXT_BYTES = 65_535;

/** The kinds of field: how many bytes one takes, which a C compiler aligns it to as well, and its type there. */
const NUMBERS = {
  u8: { bytes: 1, c: 'uint8_t' },
  i8: { bytes: 1, c: 'int8_t' },
  u16: { bytes: 2, c: 'uint16_t' },
  i16: { bytes: 2, c: 'int16_t' },
  u32: { bytes: 4, c: 'uint32_t' },
  i32: { bytes: 4, c: 'int32_t' },
  u64: { bytes: 8, c: 'uint64_t' },
  i64: { bytes: 8, c: 'int64_t' },
  f32: { bytes: 4, c: 'float' },
  f64: { bytes: 8, c: 'double' },
} as const;

export type NumberKind = keyof typeof NUMBERS;
export type FieldKind = NumberKind | 'bool' | 'ascii' | 'bytes';

/** A field by itself; its place in a record is the record's affair. */
export interface Field {
  readonly kind: FieldKind;
  readonly byteLength: number;
  readonly alignment: number;
  /** Of the member in C: `double`, and what follows the name: `[16]`. */
  readonly cType: string;
  readonly cSuffix: string;
}

/** @throws TypeError `ERR_INVALID_ARG_VALUE` for what is no field type */
export function parseField(name: string, type: FieldType): Field {
  if (Object.hasOwn(NUMBERS, type)) {
    const kind = type as NumberKind;
    const { bytes, c } = NUMBERS[kind];
    return { kind, byteLength: bytes, alignment: bytes, cType: c, cSuffix: '' };
  }
  if (type === 'bool') return { kind: 'bool', byteLength: 1, alignment: 1, cType: 'uint8_t', cSuffix: '' };
  const [, kind, digits] = /^(ascii|bytes)([1-9]\d{0,4})$/.exec(String(type)) ?? [];
  const byteLength = Number(digits);
  if (kind === undefined || byteLength > MAX_TEXT_BYTES) {
    const names = [...Object.keys(NUMBERS), 'bool'].join(', ');
    throw invalidValue(`fields.${name}`, `must be one of ${names}, asciiN or bytesN with N from 1 to 65535`, type);
  }
  const cType = kind === 'ascii' ? 'char' : 'uint8_t';
  return { kind: kind as FieldKind, byteLength, alignment: 1, cType, cSuffix: `[${digits}]` };
}
