import { checkFunction, checkInteger } from '@millrace/native';
import { native } from './native.js';
import { openMap } from './open-map.js';
import { checkOptions, checkTarget, checkWords, ttlOf } from './options.js';
import { RawMap } from './raw-map.js';
import { ALWAYS, IF_ABSENT, IF_PRESENT } from './registers.js';
import { attachToken, tokenOf } from './token.js';
import type {
  ConcurrentMapOptions,
  KeyIn,
  KeyKind,
  KeyOut,
  MapStats,
  SetOptions,
  SharedToken,
  ValueIn,
  ValueKind,
  ValueOut,
} from './types.js';
import * as walk from './walk.js';

/** Closes what nobody has closed or shared when nobody can reach it any more. */
const forgotten = new FinalizationRegistry<RawMap>((raw) => raw.close());

/**
 * A hash map that all threads of a process share, within a fixed number of bytes, with expiry and eviction.
 *
 * Any thread may call its handle at any time; each call about one key is atomic, and waits for other calls only, never
 * for JavaScript. Owns `maxBytes` of native memory at most, until the last handle is closed: by `close()`, by the end of
 * its thread, or, if `share()` was never called on it, when it is garbage. After `close()` all members throw
 * `ERR_MAP_CLOSED`. Costs a native call a key and a copy of the value.
 *
 * Extendible hashing (Fagin et al., 1979) over pages of 4 KiB with a secret seed, one lock for each of (by default) 64
 * parts; values of bytes lie in a log that is cleaned (Rumble et al., 2014). It grows without a stop.
 *
 * @example
 * const hits = new ConcurrentMap({ key: 'string', value: 'i64', maxBytes: 16 << 20, evict: 'lru' });
 * hits.add('/index', 1); // 1n; 2n the next time, on whichever thread
 */
export class ConcurrentMap<K extends KeyKind, V extends ValueKind, J = unknown>
  implements Disposable, Iterable<[KeyOut<K>, ValueOut<V, J>]>
{
  readonly #raw: RawMap;

  /** @throws TypeError, RangeError for options; `ENOMEM` when the address space is used up */
  constructor(options: ConcurrentMapOptions<K, V>) {
    // attach() brings what it has opened.
    const given: unknown = options;
    this.#raw = given instanceof RawMap ? given : openMap(checkOptions(options));
    forgotten.register(this, this.#raw, this.#raw);
  }

  /** The most native bytes that a map of these options takes: `maxBytes`, less what does not fill a page. */
  static bytes(options: ConcurrentMapOptions): number {
    return native.bytes(...checkOptions(options).words);
  }

  /**
   * A handle for this thread on a map of another one.
   *
   * @param token - what `share()` answered on a thread of this process
   * @throws ERR_SHARED_GONE if no thread has it open, ERR_LAYOUT_MISMATCH if another copy of this package made it
   */
  static attach<K extends KeyKind, V extends ValueKind, J>(
    token: SharedToken<'concurrent-map', { key: K; value: V; json: J }>,
  ): ConcurrentMap<K, V, J> {
    return new ConcurrentMap<K, V, J>(attachToken(token) as unknown as ConcurrentMapOptions<K, V>);
  }

  /** The key's value, or undefined. Counts as use for `evict: 'lru'`. */
  get(key: KeyIn<K>): ValueOut<V, J> | undefined {
    return this.#raw.get(key) as ValueOut<V, J> | undefined;
  }

  /**
   * Copies the key's value of bytes into `target`, without making a Buffer.
   *
   * @param offset - where in `target` it goes, in bytes. **Default:** 0
   * @returns its length, or −1 if there is none; if it is longer than the room, nothing was copied
   */
  getInto(key: KeyIn<K>, target: V extends 'bytes' ? Uint8Array : never, offset = 0): number {
    return this.#raw.getInto(key, checkTarget(this.#raw, target, offset), offset);
  }

  /** Whether the key has a value. Does not count as use. */
  has(key: KeyIn<K>): boolean {
    return this.#raw.has(key);
  }

  /** @throws ERR_MAP_FULL, ERR_MAP_TOO_LARGE; as do all members that store a value */
  set(key: KeyIn<K>, value: ValueIn<V, J>, options?: SetOptions): this {
    this.#raw.set(key, value, ttlOf(options, undefined), ALWAYS);
    return this;
  }

  /** Stores the value if the key has none; whether it did. */
  setIfAbsent(key: KeyIn<K>, value: ValueIn<V, J>, options?: SetOptions): boolean {
    return this.#raw.set(key, value, ttlOf(options, undefined), IF_ABSENT);
  }

  /** Stores the value if the key has one already; whether it did. */
  setIfPresent(key: KeyIn<K>, value: ValueIn<V, J>, options?: SetOptions): boolean {
    return this.#raw.set(key, value, ttlOf(options, undefined), IF_PRESENT);
  }

  /** Whether there was a value to delete. */
  delete(key: KeyIn<K>): boolean {
    return this.#raw.delete(key);
  }

  /** Entries of all threads: exact when none is writing. Reclaims what has expired first. */
  get size(): number {
    return this.#raw.size();
  }

  /** Deletes all entries, part after part: what others add meanwhile may stay. */
  clear(): void {
    this.#raw.clear();
  }

  /** Stores the value and answers the one before it. */
  exchange(key: KeyIn<K>, value: ValueIn<V, J>, options?: SetOptions): ValueOut<V, J> | undefined {
    return this.#raw.exchange(key, value, ttlOf(options, undefined)) as ValueOut<V, J> | undefined;
  }

  /**
   * One page of the keys, as Redis's SCAN: a key that is there from the first call to the last is answered, once,
   * however the map grows or shrinks meanwhile.
   *
   * @param cursor - 0 to begin, then what the call before answered
   * @param count - about how many keys, at least 1; a page may have fewer, or none, and not be the last
   * @returns the keys, and the cursor to go on with; 0: that was the last page
   */
  scan(cursor: number, count: number): { cursor: number; keys: KeyOut<K>[] } {
    return walk.scan(this.#raw, cursor, count) as { cursor: number; keys: KeyOut<K>[] };
  }

  /**
   * Adds to a number, 0 where there is none, and answers the sum. Keeps the time to live.
   *
   * @throws ERR_MAP_OVERFLOW if 64 bits do not hold the sum of an `'i64'`
   */
  add(
    key: KeyIn<K>,
    delta: V extends 'f64' | 'i64' ? ValueIn<V> : never,
  ): V extends 'f64' | 'i64' ? ValueOut<V> : never {
    return this.#raw.add(key, delta) as V extends 'f64' | 'i64' ? ValueOut<V> : never;
  }

  /**
   * Stores `next` if the key's value is `expected`, undefined for none; whether it did. Compares what is stored: the
   * bytes, the text of a JSON value, the bits of a number (NaN is NaN, 0 is not −0).
   *
   * @param options - **Default:** keeps the time to live
   */
  compareAndSet(
    key: KeyIn<K>,
    expected: ValueIn<V, J> | undefined,
    next: ValueIn<V, J>,
    options?: SetOptions,
  ): boolean {
    return this.#raw.compareAndSet(key, expected, next, ttlOf(options, 'keep'));
  }

  /** Deletes the key if its value is `expected`, compared as `compareAndSet` does; whether it did. */
  deleteIf(key: KeyIn<K>, expected: ValueIn<V, J>): boolean {
    return this.#raw.deleteIf(key, expected);
  }

  /**
   * Stores what `fn` makes of the value, undefined for none; undefined as its answer deletes. When another thread was
   * faster `fn` is called again, with that thread's value: it should do nothing else. What it throws is thrown.
   *
   * @param options - **Default:** keeps the time to live
   * @returns the value that is stored now
   */
  update(
    key: KeyIn<K>,
    fn: (old: ValueOut<V, J> | undefined) => ValueIn<V, J> | undefined,
    options?: SetOptions,
  ): ValueOut<V, J> | undefined {
    checkFunction('fn', fn);
    const ttl = ttlOf(options, 'keep');
    return this.#raw.update(key, fn as (old: unknown) => unknown, ttl) as ValueOut<V, J> | undefined;
  }

  /** The values of many keys, in order; not of one moment. */
  getMany(keys: readonly KeyIn<K>[]): (ValueOut<V, J> | undefined)[];
  /**
   * The same in one native call, of `'u64'` keys and numbers: the fastest way to read.
   *
   * @param out - one value for each key, at least as long; NaN or 0n where there is none
   * @returns how many keys have a value
   */
  getMany(
    keys: K extends 'u64' ? BigUint64Array : never,
    out: V extends 'f64' ? Float64Array : V extends 'i64' ? BigInt64Array : never,
  ): number;
  getMany(
    keys: readonly KeyIn<K>[] | BigUint64Array,
    out?: Float64Array | BigInt64Array,
  ): (ValueOut<V, J> | undefined)[] | number {
    if (out === undefined) return Array.from(keys as readonly KeyIn<K>[], (key) => this.get(key));
    return this.#raw.getWords(...checkWords(this.#raw, keys, out));
  }

  /** Milliseconds until the key's entry expires; Infinity if it never does, undefined if there is none. */
  ttlMs(key: KeyIn<K>): number | undefined {
    return this.#raw.ttlMs(key);
  }

  /**
   * Lets the entry expire in `ttlMs`; whether there is one. It is never early, and gone at most a kernel tick (4 ms) late.
   *
   * @param ttlMs - an integer from 0, which deletes at once
   */
  expire(key: KeyIn<K>, ttlMs: number): boolean {
    checkInteger('ttlMs', ttlMs, 0, native.maxTtlMs);
    return ttlMs === 0 ? this.#raw.delete(key) : this.#raw.expire(key, ttlMs);
  }

  /** Lets the entry live for ever; false if it did anyway, or there is none. */
  persist(key: KeyIn<K>): boolean {
    return this.#raw.persist(key);
  }

  /** Walks the map by `scan`: weakly consistent, with its guarantees, each value as it is when its batch is read. */
  entries(): IterableIterator<[KeyOut<K>, ValueOut<V, J>]> {
    return walk.entries(this.#raw) as IterableIterator<[KeyOut<K>, ValueOut<V, J>]>;
  }

  keys(): IterableIterator<KeyOut<K>> {
    return walk.keys(this.#raw) as IterableIterator<KeyOut<K>>;
  }

  values(): IterableIterator<ValueOut<V, J>> {
    return walk.values(this.#raw) as IterableIterator<ValueOut<V, J>>;
  }

  [Symbol.iterator](): IterableIterator<[KeyOut<K>, ValueOut<V, J>]> {
    return this.entries();
  }

  /** What the map holds and has done, on all threads. */
  stats(): MapStats {
    return this.#raw.stats();
  }

  /** What `attach` takes, on any thread of the process. From now on only `close()` or the thread's end lets go. */
  share(): SharedToken<'concurrent-map', { key: K; value: V; json: J }> {
    forgotten.unregister(this.#raw);
    return tokenOf<{ key: K; value: V; json: J }>(this.#raw);
  }

  /** Lets go of this thread's handle. The map lives on while another handle does. Idempotent. */
  close(): void {
    forgotten.unregister(this.#raw);
    this.#raw.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
