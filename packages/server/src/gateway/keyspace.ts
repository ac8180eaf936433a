import type { ConcurrentMap } from '@millrace/concurrent-map';
import { writeDecimal } from './decimal.js';
import { addIntegers, parseInteger, type Integer } from './integers.js';
import { ScratchViews } from './scratch-views.js';

export type KeyspaceMap = ConcurrentMap<'string', 'bytes'>;

/** The largest value APPEND makes: as large as the largest command, so that what is stored can be set again. */
export const MAX_VALUE_BYTES = 8 * 1024 * 1024;

export interface SetRequest {
  /** Milliseconds to live, at least 1; 'keep': as before; undefined: for ever. */
  ttlMs?: number | 'keep' | undefined;
  /** Only when the key is absent, only when it is present. */
  condition?: 'absent' | 'present' | undefined;
  /** Whether the outcome shall have the value before. */
  wantsOld?: boolean;
}

export interface SetOutcome {
  readonly done: boolean;
  /** Known where it was asked for or stood in the way. */
  readonly old: Buffer | undefined;
}

/** Whether EXPIRE may act, by the time to live there is: undefined means for ever. */
export type ExpiryCondition = (currentMs: number | undefined) => boolean;

const NUMBER_BYTES = 20;
/** Values so long are read without making a Buffer. */
const READ_BYTES = 1024;

/**
 * The keys that all workers share: strings of bytes by name, a name being the key's bytes as a latin1 string. One
 * object a thread, over one map; any thread may call its own at any time, and each method is atomic except where it
 * says otherwise. Owns two scratch buffers. Costs one map operation, two for a read followed by a write.
 */
export class Keyspace {
  readonly #map: KeyspaceMap;
  readonly #read = new ScratchViews(READ_BYTES);
  readonly #sum = new ScratchViews(NUMBER_BYTES);

  constructor(map: KeyspaceMap) {
    this.#map = map;
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: string): Buffer | undefined {
    return this.#map.get(key);
  }

  /** As `get`, without a Buffer of its own where the value is short: good until the next call. */
  peek(key: string): Buffer | undefined {
    const length = this.#map.getInto(key, this.#read.bytes);
    if (length < 0) return undefined;
    return length <= READ_BYTES ? this.#read.first(length) : this.#map.get(key);
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  /** Without a time to live, whatever the key had. */
  put(key: string, value: Uint8Array): void {
    this.#map.set(key, value);
  }

  set(key: string, value: Uint8Array, { ttlMs, condition, wantsOld }: SetRequest): SetOutcome {
    switch (condition) {
      case undefined:
        return { done: true, old: this.#map.exchange(key, value, { ttlMs }) };
      case 'absent':
        for (;;) {
          if (this.#map.setIfAbsent(key, value, { ttlMs })) return { done: true, old: undefined };
          const old = this.#map.get(key);
          if (old !== undefined) return { done: false, old };
        }
      case 'present':
        if (wantsOld) return this.#replace(key, value, ttlMs);
        return { done: this.#map.setIfPresent(key, value, { ttlMs }), old: undefined };
    }
  }

  /** Where the new value shall live for ever and the old one did not, that is a second step. */
  #replace(key: string, value: Uint8Array, ttlMs: SetRequest['ttlMs']): SetOutcome {
    for (;;) {
      const old = this.#map.get(key);
      if (old === undefined) return { done: false, old };
      if (!this.#map.compareAndSet(key, old, value, { ttlMs })) continue;
      if (ttlMs === undefined) this.#map.persist(key);
      return { done: true, old };
    }
  }

  delete(key: string): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
  }

  /** The sum; 'not-integer' when the value is none, 'overflow' when 64 bits cannot hold it. Keeps the time to live. */
  increment(key: string, delta: Integer): Integer | 'not-integer' | 'overflow' {
    for (;;) {
      const old = this.peek(key);
      const current = old === undefined ? 0 : parseInteger(old);
      if (current === undefined) return 'not-integer';
      const sum = addIntegers(current, delta);
      if (sum === undefined) return 'overflow';
      const text = this.#sum.first(writeDecimal(this.#sum.bytes, 0, sum));
      if (this.#map.compareAndSet(key, old, text)) return sum;
    }
  }

  /** The new length in bytes; undefined when it would pass MAX_VALUE_BYTES. Keeps the time to live. */
  append(key: string, tail: Uint8Array): number | undefined {
    for (;;) {
      const old = this.#map.get(key);
      const length = (old?.length ?? 0) + tail.length;
      if (length > MAX_VALUE_BYTES) return undefined;
      if (this.#map.compareAndSet(key, old, old === undefined ? tail : Buffer.concat([old, tail], length)))
        return length;
    }
  }

  /** Milliseconds left; -1: for ever, -2: there is no such key. */
  ttlMs(key: string): number {
    const left = this.#map.ttlMs(key);
    if (left !== undefined && Number.isFinite(left)) return left;
    return this.#map.has(key) ? -1 : -2;
  }

  /** Reads the condition and sets the time in two steps. 0 or less deletes the key. */
  expire(key: string, ttlMs: number, condition: ExpiryCondition | undefined): boolean {
    if (condition !== undefined) {
      const current = this.ttlMs(key);
      if (current === -2 || !condition(current === -1 ? undefined : current)) return false;
    }
    return ttlMs <= 0 ? this.#map.delete(key) : this.#map.expire(key, ttlMs);
  }

  /** False when there is no such key or it has no time to live. */
  persist(key: string): boolean {
    return this.ttlMs(key) >= 0 && this.#map.persist(key);
  }

  keys(): IterableIterator<string> {
    return this.#map.keys();
  }

  scan(cursor: number, count: number): { cursor: number; keys: string[] } {
    return this.#map.scan(cursor, count);
  }
}
