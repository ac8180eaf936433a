import { types } from 'node:util';
import {
  checkBoolean,
  checkInteger,
  checkNumber,
  checkObject,
  checkString,
  integerOption,
  invalidValue,
} from '@millrace/native';
import { typeError } from './errors.js';
import { native } from './native.js';
import type { GrowableBufferOptions, SlabOptions } from './types.js';

const DEFAULT_SLAB_BYTES = 64 * 2 ** 20;
const DEFAULT_BUFFER_BYTES = 2 ** 30;
const DEFAULT_DECAY_MS = 10_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Checked options, as the addon takes them. */
export interface NativeSlabOptions {
  readonly words: [maxBytes: number, minBlockBytes: number, maxBlockBytes: number, growth: number];
  readonly decayMs: number;
}

export function checkSlabOptions(options: SlabOptions): NativeSlabOptions {
  checkObject('options', options);
  const { pageBytes, unitBytes, maxBlockBytes: largest, minGrowth, maxGrowth } = native;
  const maxBytes = integerOption('options.maxBytes', options.maxBytes, {
    min: pageBytes,
    max: 2 ** 32 - 1,
    default: DEFAULT_SLAB_BYTES,
  });
  const maxBlockBytes = integerOption('options.maxBlockBytes', options.maxBlockBytes, {
    min: unitBytes,
    max: largest,
    default: largest,
  });
  const minBlockBytes = integerOption('options.minBlockBytes', options.minBlockBytes, {
    min: 1,
    max: maxBlockBytes,
    default: Math.min(unitBytes, maxBlockBytes),
  });
  const growth = checkNumber('options.growthFactor', options.growthFactor ?? 1.25, minGrowth, maxGrowth);
  const decayMs = integerOption('options.decayMs', options.decayMs, {
    min: 0,
    max: MAX_TIMER_MS,
    default: DEFAULT_DECAY_MS,
  });
  return { words: [maxBytes, minBlockBytes, maxBlockBytes, growth], decayMs };
}

/** As the addon takes them. */
export type NativeBufferOptions = [initial: number, threshold: number, max: number, directory: string, memory: number];

export function checkBufferOptions(options: GrowableBufferOptions): NativeBufferOptions {
  checkObject('options', options);
  const max = { min: 1, max: native.maxBytes };
  const maxBytes = integerOption('options.maxBytes', options.maxBytes, { ...max, default: DEFAULT_BUFFER_BYTES });
  const initialBytes = integerOption('options.initialBytes', options.initialBytes, { ...max, default: 1024 });
  const threshold = integerOption('options.mapThresholdBytes', options.mapThresholdBytes, {
    min: 0,
    max: native.maxBytes,
    default: 2 ** 20,
  });
  const directory = checkString('options.directory', options.directory ?? '/var/tmp');
  if (directory.includes('\0')) throw invalidValue('options.directory', 'must be a path without NUL', directory);
  const allowMemory = checkBoolean('options.allowMemoryFileSystem', options.allowMemoryFileSystem ?? false);
  return [initialBytes, threshold, maxBytes, directory, allowMemory ? 1 : 0];
}

/** What nearly every call is given: no other check is needed then. */
export function isU32(value: number): boolean {
  return typeof value === 'number' && value >>> 0 === value;
}

/** A length beyond 32 bits is one that no slab has. @throws TypeError, RangeError */
export function checkLength(byteLength: number): number {
  return Math.min(checkInteger('byteLength', byteLength, 0), 2 ** 32 - 1);
}

/** @throws TypeError, RangeError for what can be no offset */
export function checkOffset(offset: number): number {
  return checkInteger('offset', offset, 0, 2 ** 32 - 1);
}

/** @throws TypeError */
export function checkOffsets(name: string, offsets: Uint32Array): void {
  if (types.isUint32Array(offsets)) return;
  throw typeError(name, 'an instance of Uint32Array', offsets);
}

/** @throws TypeError */
export function checkBuffer(buffer: Buffer): Buffer {
  if (!Buffer.isBuffer(buffer)) throw typeError('buffer', 'an instance of Buffer', buffer);
  return buffer;
}
