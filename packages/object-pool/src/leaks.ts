import path from 'node:path';

/** Where frames of this package are, compiled or by source map. */
const OWN = [__dirname, path.join(__dirname, '..', 'src')];

/** How many places a warning names. */
const MOST_PLACES = 5;

/**
 * Where what is out was acquired: for pools in debug mode. For one thread. Owns a stack trace for each of them, which is
 * what makes debug mode slow.
 */
export class Leaks<Key> {
  readonly #places = new Map<Key, { stack?: string }>();
  readonly #what: string;

  /** @param what - are out, in the plural */
  constructor(what: string) {
    this.#what = what;
  }

  acquired(key: Key): void {
    const place: { stack?: string } = {};
    Error.captureStackTrace(place);
    this.#places.set(key, place);
  }

  released(key: Key): void {
    this.#places.delete(key);
  }

  /** Warns of what is out, if anything is: `MILLRACE_OBJECT_POOL_LEAK`. */
  report(isOut: (key: Key) => boolean): void {
    const out = [...this.#places].filter(([key]) => isOut(key));
    if (out.length === 0) return;
    const counts = new Map<string, number>();
    for (const [, { stack }] of out) {
      const place = placeOf(stack);
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    const places = [...counts].sort(([, a], [, b]) => b - a).slice(0, MOST_PLACES);
    const detail = places.map(([place, count]) => `${count} acquired at ${place}`).join('\n');
    process.emitWarning(`${this.#what} still out when their pool was closed: ${out.length}`, {
      type: 'ObjectPoolLeak',
      code: 'MILLRACE_OBJECT_POOL_LEAK',
      detail,
    });
  }
}

/** The first frame outside of this package. */
function placeOf(stack = ''): string {
  const frames = stack.split('\n').filter((line) => line.startsWith('    at '));
  const outside = frames.find((line) => !OWN.some((folder) => line.includes(folder))) ?? frames.at(-1);
  return outside?.slice('    at '.length) ?? 'an unknown place';
}
