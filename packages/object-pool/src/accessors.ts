import { endianness } from 'node:os';
import { compileFunction } from 'node:vm';
import type { Member, RecordLayout } from './record.js';
import type { RecordMemory } from './record-memory.js';
import type { Column } from './types.js';

/** Code for one record type over one pool's memory. */
export interface Accessors {
  /** An object whose accessors a view's prototype takes over; `this.index` says which record. */
  readonly properties: object;
  readonly columns: { readonly [name: string]: Column<unknown> };
  /** From here on all of it throws. */
  readonly end: () => void;
}

/** Under this key a view keeps the arrays that its fields of bytes answered. */
export const PARTS = Symbol('parts');

/** How a field is read and written, as source text; `i` is the record's index in it. */
interface Snippets {
  readonly get: string;
  readonly set: string;
  readonly getNumber: string;
  /** What a view answers, if that differs from what a column does. */
  readonly viewGet?: string;
}

const LOW_FIRST = endianness() === 'LE' ? 0 : 1;

/**
 * Generates the accessors of a record type: with sizes and offsets as constants, and source text of its own for each
 * field, the compiler sees one kind of array at each place, and a field costs what a typed array's element does. The
 * names in it are identifiers, which `record` has checked.
 */
export function makeAccessors(layout: RecordLayout, memory: RecordMemory): Accessors {
  const generate = compileFunction(sourceOf(layout), ['memory', 'PARTS']) as (
    memory: RecordMemory,
    parts: symbol,
  ) => Accessors;
  return generate(memory, PARTS);
}

function sourceOf({ members, byteLength }: RecordLayout): string {
  const snippets = members.map((member, position) => ({
    name: JSON.stringify(member.name),
    ...snippetsOf(member, byteLength, position),
  }));
  const properties = snippets.map(
    ({ name, get, set, viewGet = get }) => `
      get [${name}]() { const i = this.index; if (length === 0) fail(i); return ${viewGet}; },
      set [${name}](value) { const i = this.index; if (length === 0) fail(i); ${set}; },`,
  );
  const columns = snippets.map(
    ({ name, get, set, getNumber }) => `
      [${name}]: new (class Column {
        get length() { return capacity; }
        get(i) { if (typeof i !== 'number' || i >>> 0 !== i || i >= length) fail(i); return ${get}; }
        set(i, value) { if (typeof i !== 'number' || i >>> 0 !== i || i >= length) fail(i); ${set}; }
        getNumber(i) { if (typeof i !== 'number' || i >>> 0 !== i || i >= length) fail(i); return ${getNumber}; }
      })(),`,
  );
  return `'use strict';
    const { u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, capacity } = memory;
    const { fail, notNumeric, readText, writeText, writeBytes } = memory;
    let length = capacity;
    return {
      properties: {${properties.join('')}
      },
      columns: Object.freeze({${columns.join('')}
      }),
      end() { length = 0; },
    };`;
}

function snippetsOf(member: Member, stride: number, position: number): Snippets {
  const { kind, byteLength: size, offset } = member;
  const name = JSON.stringify(member.name);
  const at = `i * ${stride} + ${offset}`;
  switch (kind) {
    case 'bool':
      return { get: `u8[${at}] !== 0`, set: `u8[${at}] = value ? 1 : 0`, getNumber: `u8[${at}] !== 0 ? 1 : 0` };
    case 'ascii': {
      const get = `readText(${at}, ${size})`;
      return { get, set: `writeText(${name}, ${at}, ${size}, value)`, getNumber: `notNumeric(${name})` };
    }
    case 'bytes': {
      const get = `u8.subarray(${at}, ${at} + ${size})`;
      const set = `writeBytes(${name}, ${at}, ${size}, value)`;
      return { get, set, getNumber: `notNumeric(${name})`, viewGet: `(this[PARTS] ??= [])[${position}] ??= ${get}` };
    }
  }
  const element = `${kind}[i * ${stride / size} + ${offset / size}]`;
  const access = { get: element, set: `${element} = value` };
  if (kind !== 'u64' && kind !== 'i64') return { ...access, getNumber: element };
  const half = (array: string, high: 0 | 1): string =>
    `${array}[i * ${stride / 4} + ${offset / 4 + (high ^ LOW_FIRST)}]`;
  const getNumber = `${half(kind === 'u64' ? 'u32' : 'i32', 1)} * 4294967296 + ${half('u32', 0)}`;
  return { ...access, getNumber };
}
