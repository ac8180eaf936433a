import { closedError, fullError, overflowError, tooLargeError } from './errors.js';
import type { KeyCodec } from './key-codec.js';
import { native, type RawKey } from './native.js';
import * as r from './registers.js';
import type { MapStats } from './types.js';
import type { Ready, ValueCodec } from './value-codec.js';

export type Ttl = number | 'keep' | undefined;

const { f64, i64, u32 } = r;

/**
 * One thread's handle on a map, without types: checks and converts by its two codecs, and makes errors of what the
 * addon answers. In each method all that may run code of the user's comes before the first register is set.
 */
export class RawMap {
  readonly key: KeyCodec;
  readonly value: ValueCodec;
  #handle: number;

  constructor(handle: number, key: KeyCodec, value: ValueCodec) {
    this.#handle = handle;
    this.key = key;
    this.value = value;
  }

  /** Negative: closed. */
  get handle(): number {
    return this.#handle;
  }

  close(): void {
    if (this.#handle >= 0) native.close(this.#handle);
    this.#handle = -1;
  }

  get(key: unknown): unknown {
    const raw = this.#select(key);
    if (!this.value.pooled) {
      const text = native.get(raw);
      return u32[r.STATUS] === r.DONE ? this.value.read(text) : undefined;
    }
    r.checkPool();
    native.get(raw);
    while (u32[r.STATUS] === r.NEEDS_ROOM) {
      const target = r.roomForBytes();
      if (target === undefined) native.get(raw);
      else if (this.#into(raw, target, 0)) return target.subarray(0, u32[r.BYTES]);
    }
    return u32[r.STATUS] === r.DONE ? r.takeFromPool() : undefined;
  }

  /** The value's length, −1 if there is none. Copied if it fits. */
  getInto(key: unknown, target: Uint8Array, offset: number): number {
    const raw = this.#select(key);
    this.#into(raw, target, offset);
    return u32[r.STATUS] === r.UNCHANGED ? -1 : u32[r.BYTES]!;
  }

  #into(raw: RawKey, target: Uint8Array, offset: number): boolean {
    u32[r.COUNT] = offset;
    native.get(raw, target);
    return u32[r.STATUS] === r.DONE;
  }

  has(key: unknown): boolean {
    native.has(this.#select(key));
    return u32[r.STATUS] === r.DONE;
  }

  set(key: unknown, value: unknown, ttl: Ttl, condition: number): boolean {
    const ready = this.value.prepare('value', value);
    const raw = this.#select(key);
    r.setTtl(ttl);
    u32[r.CONDITION] = condition;
    native.set(raw, this.value.write(ready, r.VALUE));
    return this.#changed(raw, ready);
  }

  exchange(key: unknown, value: unknown, ttl: Ttl): unknown {
    const ready = this.value.prepare('value', value);
    const raw = this.#select(key);
    r.setTtl(ttl);
    r.checkPool();
    let text = native.exchange(raw, this.value.write(ready, r.VALUE));
    while (u32[r.STATUS] === r.NEEDS_ROOM) {
      const target = r.roomForBytes();
      if (target === undefined) {
        text = native.exchange(raw, ready as Uint8Array);
      } else {
        u32[r.COUNT] = 0;
        native.exchange(raw, ready as Uint8Array, target);
        if (u32[r.STATUS] === r.DONE) return target.subarray(0, u32[r.BYTES]);
      }
    }
    return this.#changed(raw, ready) ? this.value.read(text) : undefined;
  }

  compareAndSet(key: unknown, expected: unknown, next: unknown, ttl: Ttl): boolean {
    const ready = this.value.prepare('next', next);
    const old = expected === undefined ? undefined : this.value.prepare('expected', expected);
    return this.#compareAndSet(key, old, ready, ttl);
  }

  #compareAndSet(key: unknown, old: Ready | undefined, ready: Ready, ttl: Ttl): boolean {
    const raw = this.#select(key);
    r.setTtl(ttl);
    u32[r.FLAG] = old === undefined ? 0 : 1;
    native.compareAndSet(
      raw,
      this.value.write(ready, r.VALUE),
      old === undefined ? undefined : this.value.write(old, r.EXPECTED),
    );
    return this.#changed(raw, ready);
  }

  delete(key: unknown): boolean {
    native.remove(this.#select(key));
    return u32[r.STATUS] === r.DONE;
  }

  deleteIf(key: unknown, expected: unknown): boolean {
    return this.#deleteIf(key, this.value.prepare('expected', expected));
  }

  #deleteIf(key: unknown, old: Ready): boolean {
    const raw = this.#select(key);
    native.removeIf(raw, this.value.write(old, r.EXPECTED));
    return u32[r.STATUS] === r.DONE;
  }

  /** No lock is held while `fn` runs: it reads, calls, and writes if nobody was faster. */
  update(key: unknown, fn: (old: unknown) => unknown, ttl: Ttl): unknown {
    for (;;) {
      let old: unknown;
      let stored: Ready | undefined;
      if (this.value.pooled) {
        old = this.get(key);
        // A copy: fn may well write into the one it gets.
        if (old !== undefined) stored = Buffer.from(old as Buffer);
      } else {
        const text = native.get(this.#select(key));
        if (u32[r.STATUS] === r.DONE) {
          stored = text ?? i64[r.VALUE]!;
          old = this.value.read(text);
        }
      }
      const next = fn(old);
      if (next === undefined) {
        if (stored === undefined || this.#deleteIf(key, stored)) return undefined;
      } else if (this.#compareAndSet(key, stored, this.value.prepare('value', next), ttl)) {
        return this.value.made(next);
      }
    }
  }

  add(key: unknown, delta: unknown): unknown {
    const ready = this.value.prepare('delta', delta);
    const raw = this.#select(key);
    this.value.write(ready, r.VALUE);
    native.add(raw);
    if (u32[r.STATUS] === r.OVERFLOW) throw overflowError();
    this.#changed(raw, ready);
    return this.value.read(undefined);
  }

  ttlMs(key: unknown): number | undefined {
    native.ttl(this.#select(key));
    return u32[r.STATUS] === r.DONE ? f64[r.NUMBER] : undefined;
  }

  expire(key: unknown, ttlMs: number): boolean {
    const raw = this.#select(key);
    r.setTtl(ttlMs);
    native.expire(raw);
    return u32[r.STATUS] === r.DONE;
  }

  persist(key: unknown): boolean {
    native.persist(this.#select(key));
    return u32[r.STATUS] === r.DONE;
  }

  /** Up to about `count` keys, at most native.maxRows, or keys and values by turns; the next cursor is in NUMBER. */
  scan(cursor: number, count: number, values: boolean): unknown[] {
    this.#selectMap();
    f64[r.NUMBER] = cursor;
    u32[r.COUNT] = count;
    u32[r.FLAG] = values ? 1 : 0;
    return native.scan();
  }

  getWords(keys: BigUint64Array, out: Float64Array | BigInt64Array): number {
    this.#selectMap();
    native.getWords(keys, out);
    return f64[r.NUMBER]!;
  }

  size(): number {
    this.#selectMap();
    native.size();
    return f64[r.NUMBER]!;
  }

  clear(): void {
    this.#selectMap();
    native.clear();
  }

  stats(): MapStats {
    this.#selectMap();
    return native.stats();
  }

  share(): { id: number; nonce: number } {
    this.#selectMap();
    return native.share();
  }

  #selectMap(): void {
    if (this.#handle < 0) throw closedError();
    u32[r.MAP] = this.#handle;
  }

  #select(key: unknown): RawKey {
    const raw = this.key.encode(key);
    this.#selectMap();
    return raw;
  }

  /** Whether the call changed something. */
  #changed(key: RawKey, value: Ready): boolean {
    switch (u32[r.STATUS]) {
      case r.DONE:
        return true;
      case r.FULL:
        throw fullError();
      case r.TOO_LARGE:
        throw tooLargeError(key, value);
    }
    return false;
  }
}
