import { checkBytes, checkInteger, checkObject, checkOneOf, integerOption } from '@millrace/native';
import { rangeError, typeError, valueError } from './errors.js';
import { keyCodecs } from './key-codec.js';
import { native } from './native.js';
import type { RawMap, Ttl } from './raw-map.js';
import type { ConcurrentMapOptions, KeyKind, SetOptions, ValueKind } from './types.js';
import { valueCodecs } from './value-codec.js';

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** Checked options, as the addon takes them. */
export interface NativeOptions {
  readonly key: KeyKind;
  readonly value: ValueKind;
  readonly words: [key: number, value: number, maxBytes: number, capacity: number, evict: number];
}

export function checkOptions(options: ConcurrentMapOptions): NativeOptions {
  checkObject('options', options);
  const key = checkOneOf('options.key', options.key, Object.keys(keyCodecs) as KeyKind[]);
  const value = checkOneOf('options.value', options.value, Object.keys(valueCodecs) as ValueKind[]);
  const maxBytes = integerOption('options.maxBytes', options.maxBytes, {
    min: native.minBytes,
    max: native.maxBytes,
    default: DEFAULT_MAX_BYTES,
  });
  const capacity = integerOption('options.capacity', options.capacity, { min: 1, default: undefined }) ?? 0;
  const evict = checkOneOf('options.evict', options.evict ?? 'none', ['none', 'lru']);
  return {
    key,
    value,
    words: [keyCodecs[key].code, valueCodecs[value].code, maxBytes, capacity, evict === 'lru' ? 1 : 0],
  };
}

/** The time to live out of a call's options. */
export function ttlOf(options: SetOptions | undefined, otherwise: Ttl): Ttl {
  if (options === undefined) return otherwise;
  const { ttlMs } = checkObject('options', options);
  if (ttlMs === undefined) return otherwise;
  return ttlMs === 'keep' ? ttlMs : checkInteger('options.ttlMs', ttlMs, 1, native.maxTtlMs);
}

/** Where `getInto` copies to. */
export function checkTarget(map: RawMap, target: unknown, offset: number): Uint8Array {
  if (map.value !== valueCodecs.bytes) throw valueError('target', "needs a map whose values are 'bytes'", target);
  const bytes = checkBytes('target', target);
  checkInteger('offset', offset, 0, bytes.length);
  return bytes;
}

/** What `getMany` reads in one call. */
export function checkWords(map: RawMap, keys: unknown, out: unknown): [BigUint64Array, Float64Array | BigInt64Array] {
  if (map.key !== keyCodecs.u64) throw valueError('out', "needs a map whose keys are 'u64'", out);
  if (!(keys instanceof BigUint64Array)) throw typeError('keys', 'an instance of BigUint64Array', keys);
  if (map.value === valueCodecs.f64) {
    if (!(out instanceof Float64Array)) throw typeError('out', 'an instance of Float64Array', out);
  } else if (map.value === valueCodecs.i64) {
    if (!(out instanceof BigInt64Array)) throw typeError('out', 'an instance of BigInt64Array', out);
  } else {
    throw valueError('out', "needs a map whose values are 'f64' or 'i64'", out);
  }
  if (out.length < keys.length) throw rangeError('out.length', `>= keys.length (${keys.length})`, out.length);
  return [keys, out];
}
