/** Structural on purpose: each package declares and exports the same interface, so tokens need no common package. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

/** What a map's keys are. */
export type KeyKind = 'string' | 'u64' | 'fd-sequence';

/** What a map's values are. */
export type ValueKind = 'bytes' | 'string' | 'f64' | 'i64' | 'json';

/** What names a connection: its descriptor and its sequence, both below 2^32. A Connection is one. */
export interface ConnectionKey {
  readonly fd: number;
  readonly sequence: number;
}

/** A key as it is given: for `'u64'` a safe integer or a bigint below 2^64. */
export type KeyIn<K extends KeyKind> = K extends 'string' ? string : K extends 'u64' ? number | bigint : ConnectionKey;

/** A key as scans and iteration answer it. */
export type KeyOut<K extends KeyKind> = K extends 'string' ? string : K extends 'u64' ? bigint : ConnectionKey;

/** A value as it is given: for `'i64'` a safe integer or a bigint of 64 bits, for `'json'` what `JSON.stringify` takes. */
export type ValueIn<V extends ValueKind, J = unknown> = V extends 'bytes'
  ? Uint8Array
  : V extends 'string'
    ? string
    : V extends 'f64'
      ? number
      : V extends 'i64'
        ? number | bigint
        : J;

/** A value as it is answered: a copy of the caller's own. */
export type ValueOut<V extends ValueKind, J = unknown> = V extends 'bytes'
  ? Buffer
  : V extends 'string'
    ? string
    : V extends 'f64'
      ? number
      : V extends 'i64'
        ? bigint
        : J;

export interface SetOptions {
  /**
   * Milliseconds from now until the entry expires, an integer from 1 to 13,194,139,533,312 (some 400 years). `'keep'`:
   * when it would have expired before; a new entry never does. **Default:** never, for `set` and its like; `'keep'` for
   * `compareAndSet` and `update`.
   */
  ttlMs?: number | 'keep' | undefined;
}

export interface ConcurrentMapOptions<K extends KeyKind = KeyKind, V extends ValueKind = ValueKind> {
  /** What the keys are. */
  key: K;
  /** What the values are. */
  value: V;
  /** The most entries, at least 1. **Default:** as many as `maxBytes` holds. */
  capacity?: number;
  /** The most native memory the map ever takes, everything counted: 65,536 to 4,294,901,760. **Default:** 67,108,864. */
  maxBytes?: number;
  /** What a full map does: refuse with `ERR_MAP_FULL`, or drop what was used the longest ago. **Default:** `'none'`. */
  evict?: 'none' | 'lru';
}

export interface MapStats {
  /** Entries, with those that have expired and are not reclaimed yet. */
  readonly entries: number;
  /** Bytes of `maxBytes` with something in them, in steps of 4 KiB. */
  readonly usedBytes: number;
  /** What `ConcurrentMap.bytes` answers for this map. */
  readonly maxBytes: number;
  /** Entries reclaimed after their time. */
  readonly expired: number;
  /** Entries dropped to make room. */
  readonly evicted: number;
}
