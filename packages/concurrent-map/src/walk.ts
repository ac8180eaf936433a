import { checkInteger } from '@millrace/native';
import { native } from './native.js';
import type { RawMap } from './raw-map.js';
import { f64, NUMBER } from './registers.js';

const LAST_CURSOR = 2 ** native.cursorBits - 1;
const BATCH = 128;

export function scan(map: RawMap, cursor: number, count: number): { cursor: number; keys: unknown[] } {
  let next = checkInteger('cursor', cursor, 0, LAST_CURSOR);
  checkInteger('count', count, 1);
  const keys: unknown[] = [];
  do {
    const some = map.scan(next, Math.min(count - keys.length, native.maxRows), false);
    next = f64[NUMBER]!;
    for (const key of some) keys.push(map.key.decode(key));
  } while (next !== 0 && keys.length < count && count > native.maxRows);
  return { cursor: next, keys };
}

export function* keys(map: RawMap): Generator<unknown, undefined> {
  let cursor = 0;
  do {
    const page = scan(map, cursor, BATCH);
    cursor = page.cursor;
    yield* page.keys;
  } while (cursor !== 0);
}

export function* entries(map: RawMap): Generator<[unknown, unknown], undefined> {
  let cursor = 0;
  do {
    const found = map.scan(cursor, BATCH, true);
    cursor = f64[NUMBER]!;
    for (let i = 0; i < found.length; i += 2) yield [map.key.decode(found[i]), map.value.scanned(found[i + 1])];
  } while (cursor !== 0);
}

export function* values(map: RawMap): Generator<unknown, undefined> {
  for (const [, value] of entries(map)) yield value;
}
