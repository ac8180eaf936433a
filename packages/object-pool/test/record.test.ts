import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ObjectPool, record, type Fields, type FieldType } from '@millrace/object-pool';

const layouts: { [name: string]: Fields } = {
  tick: { symbol: 'ascii16', price: 'f64', size: 'f64', timeNs: 'u64' },
  padded: { a: 'u8', b: 'f64', c: 'u8', d: 'u16', e: 'i64', f: 'bool' },
  every: {
    ...({ a: 'u8', b: 'i8', c: 'u16', d: 'i16', e: 'u32', f: 'i32', g: 'u64', h: 'i64' } as const),
    ...({ i: 'f32', j: 'f64', k: 'bool', l: 'ascii7', m: 'bytes3', n: 'i16' } as const),
  },
  text_only: { a: 'ascii1', b: 'bytes2' },
  reserved: { long: 'u8', long_: 'f32', default: 'u16', class: 'bool', this: 'i64' },
};

const kinds: FieldType[] = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f32', 'f64', 'bool'];

/** Any fields, by a seed, so that a failure can be had again. */
function randomFields(seed: number): Fields {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
  const type = (): FieldType => {
    const choice = below(kinds.length + 2);
    return kinds[choice] ?? `${choice === kinds.length ? 'ascii' : 'bytes'}${1 + below(20)}`;
  };
  return Object.fromEntries(Array.from({ length: 1 + below(12) }, (_, i) => [`field_${i}`, type()]));
}

/** What a compiler of the language says: the size, then each offset. */
function compiled(language: 'c' | 'c++', structs: Record<string, Fields>): Record<string, number[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-struct-'));
  try {
    const names = Object.keys(structs);
    const texts = names.map((name) => record(structs[name]!).toCStruct(name));
    const prints = names.map((name) => {
      // Members as the text has them: a name that the language keeps for itself is another one there.
      const members = [...texts[names.indexOf(name)]!.matchAll(/ (\w+)(?:\[\d+\])?; \/\*/g)].map(
        ([, member]) => member,
      );
      const values = [`sizeof(${name})`, ...members.map((member) => `offsetof(struct ${name}, ${member})`)];
      return `printf("${name}"); ${values.map((value) => `printf(" %zu", ${value});`).join(' ')} printf("\\n");`;
    });
    const source = `${texts.join('\n')}\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n${prints.join('\n')}\n}\n`;
    const file = path.join(folder, language === 'c' ? 'structs.c' : 'structs.cc');
    writeFileSync(file, source);
    const compiler = language === 'c' ? 'cc' : 'c++';
    const flags = ['-Wall', '-Wextra', '-Werror', '-o', path.join(folder, 'structs'), file];
    execFileSync(compiler, flags, { stdio: 'pipe' });
    const output = execFileSync(path.join(folder, 'structs'), { encoding: 'utf8' });
    const rows = output.trim().split('\n');
    return Object.fromEntries(
      rows.map((row) => {
        const [name, ...numbers] = row.split(' ');
        return [name!, numbers.map(Number)];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.each(['c', 'c++'] as const)('a %s compiler lays toCStruct() out as the record is', (language) => {
  const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 2 ** 31);
  const random = Array.from({ length: 40 }, (_, i) => [`random_${i}`, randomFields(seed + i)] as const);
  const structs = { ...layouts, ...Object.fromEntries(random) };
  const expected = Object.entries(structs).map(([name, fields]) => {
    const { byteLength, offsets } = record(fields);
    return [name, [byteLength, ...Object.values(offsets)]];
  });
  expect({ seed, rows: compiled(language, structs) }).toEqual({ seed, rows: Object.fromEntries(expected) });
});

test('says where its fields lie', () => {
  const Tick = record({ symbol: 'ascii16', flag: 'bool', price: 'f64', count: 'u16' });
  expect(Tick.byteLength).toBe(40);
  expect(Tick.offsets).toEqual({ symbol: 0, flag: 16, price: 24, count: 32 });
  expect(Tick.fields).toEqual({ symbol: 'ascii16', flag: 'bool', price: 'f64', count: 'u16' });
  expect(Object.isFrozen(Tick.fields)).toBe(true);
});

test.each<[string, unknown, string]>([
  ['no object', 5, 'ERR_INVALID_ARG_TYPE'],
  ['no fields', {}, 'ERR_INVALID_ARG_VALUE'],
  ['an unknown type', { a: 'f65' }, 'ERR_INVALID_ARG_VALUE'],
  ['a type that is no string', { a: 8 }, 'ERR_INVALID_ARG_VALUE'],
  ['text of no bytes', { a: 'ascii0' }, 'ERR_INVALID_ARG_VALUE'],
  ['text of too many bytes', { a: 'bytes65536' }, 'ERR_INVALID_ARG_VALUE'],
  ['a name that is code', { 'a; x': 'u8' }, 'ERR_INVALID_ARG_VALUE'],
  ['the name index', { index: 'u8' }, 'ERR_INVALID_ARG_VALUE'],
])('refuses %s', (_, fields, code) => {
  expect(() => record(fields as never)).toThrow(expect.objectContaining({ code }));
});

test.each(['a b', 'int', 'class', 'field'])('refuses the struct name %s', (name) => {
  expect(() => record({ field: 'u8' }).toCStruct(name)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  );
});

test('fields may have names that JavaScript has a use for', () => {
  const fields = { constructor: 'u8', __proto__: 'u16', toString: 'u32', hasOwnProperty: 'f64' } as const;
  const odd = record({ ...fields, ['__proto__']: 'u16' });
  using pool = new ObjectPool(odd, { capacity: 2 });
  const view = pool.acquire()! as unknown as Record<string, unknown>;
  view['constructor'] = 1;
  view['__proto__'] = 2;
  view['toString'] = 3;
  expect([view['constructor'], view['__proto__'], view['toString']]).toEqual([1, 2, 3]);
  expect(pool.column('constructor').get(view['index'] as number)).toBe(1);
});
