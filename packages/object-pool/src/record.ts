import { checkObject, checkString, invalidValue } from '@millrace/native';
import { cStruct, isCWord } from './c-struct.js';
import { parseField, type Field } from './field.js';
import type { Fields, RecordType } from './types.js';

export const IDENTIFIER = /^[A-Za-z_]\w*$/;

/** A field and where it lies. */
export interface Member extends Field {
  readonly name: string;
  readonly offset: number;
}

/**
 * The layout of a record, computed as a C compiler computes a struct's: each member at the next multiple of its
 * alignment, the whole rounded up to the largest of them. Immutable. What `record` answers.
 */
export class RecordLayout<F extends Fields = Fields> implements RecordType<F> {
  readonly fields: F;
  readonly byteLength: number;
  readonly offsets: { readonly [N in keyof F]: number };
  readonly members: readonly Member[];

  constructor(fields: F) {
    const members: Member[] = [];
    let end = 0;
    let alignment = 1;
    for (const [name, type] of Object.entries(checkObject('fields', fields))) {
      if (!IDENTIFIER.test(name)) throw invalidValue('fields', 'must have names that C allows', name);
      if (name === 'index') throw invalidValue('fields', "must not have 'index', which every view has", name);
      const field = parseField(name, type);
      const offset = roundUp(end, field.alignment);
      members.push(Object.freeze({ ...field, name, offset }));
      end = offset + field.byteLength;
      alignment = Math.max(alignment, field.alignment);
    }
    if (members.length === 0) throw invalidValue('fields', 'must have at least one field', fields);
    this.fields = Object.freeze({ ...fields });
    this.byteLength = roundUp(end, alignment);
    const offsets = members.map(({ name, offset }) => [name, offset]);
    this.offsets = Object.freeze(Object.fromEntries(offsets) as { [N in keyof F]: number });
    this.members = Object.freeze(members);
    Object.freeze(this);
  }

  toCStruct(name: string): string {
    if (!IDENTIFIER.test(checkString('name', name)) || isCWord(name)) {
      throw invalidValue('name', 'must be a name that C and C++ allow', name);
    }
    // In C++ it would be a constructor's.
    if (Object.hasOwn(this.offsets, name)) throw invalidValue('name', 'must not be that of a field', name);
    return cStruct(name, this.members, this.byteLength);
  }

  /** 32 bits that differ where the fields do (FNV-1a). */
  get shape(): number {
    let hash = 0x811c9dc5;
    for (const character of JSON.stringify(Object.entries(this.fields))) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    }
    return hash >>> 0;
  }
}

const roundUp = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * A record's layout from its fields, in their order: that of a C struct with the same members.
 *
 * @param fields - names that C allows, and not `index`, which every view has
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`
 *
 * @example
 * const Tick = record({ symbol: 'ascii16', price: 'f64', size: 'f64', timeNs: 'u64' });
 * Tick.byteLength; // 40
 */
export function record<const F extends Fields & { readonly index?: never }>(fields: F): RecordType<F> {
  return new RecordLayout(fields);
}
