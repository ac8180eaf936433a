import { checkInteger, checkNumber, checkObject, checkOneOf, integerOption } from '@millrace/native';
import { errors } from './errors.js';
import type { NativeOptions } from './native.js';
import type { FeedKeyKind, FeedOptions } from './types.js';

// In the order of FeedOverflow and FeedKeyKind in millrace/feed/feed_options.h.
const overflows = ['block', 'drop-newest', 'drop-oldest', 'conflate', 'sample'] as const;
export const keyKinds = [undefined, 'u32', 'u64', 'ascii16'] as const;

const PAGE_BYTES = 2 ** 16;
const MAX_ARENA_BYTES = 2 ** 32 - PAGE_BYTES;
const MAX_SHARED_BLOCK_BYTES = 2 ** 15;
const WARN_PUSH_AFTER_US = 1000;

export function checkOptions<K extends FeedKeyKind>(options: FeedOptions<K>): NativeOptions {
  checkObject('options', options);
  const overflow = checkOneOf('options.overflow', options.overflow, overflows);
  const key = checkOneOf('options.key', options.key, keyKinds);
  const capacity = checkInteger('options.capacity', options.capacity, 1, 2 ** 26);
  const maxMessageBytes = checkInteger('options.maxMessageBytes', options.maxMessageBytes, 1, 2 ** 30);
  if (overflow === 'conflate' && key === undefined) {
    throw errors.invalidOption('options.key', 'must be given when options.overflow is "conflate"', key);
  }
  return {
    capacity,
    maxMessageBytes,
    maxBytes: checkMaxBytes(options.maxBytes, capacity, maxMessageBytes),
    maxKeys: integerOption('options.maxKeys', options.maxKeys, { min: 1, max: capacity, default: capacity }),
    sampleEvery:
      options.overflow === 'sample' ? checkInteger('options.sampleEvery', options.sampleEvery, 1, 2 ** 31) : 1,
    key: keyKinds.indexOf(key),
    overflow: overflows.indexOf(overflow),
    warnPushAfterUs: numberOption('options.warnPushAfterUs', options.warnPushAfterUs, WARN_PUSH_AFTER_US),
    blockTimeoutMs: options.overflow === 'block' ? checkTimeout(options.blockTimeoutMs) : -1,
  };
}

function numberOption(name: string, value: number | undefined, absent: number): number {
  return value === undefined ? absent : checkNumber(name, value, 0, 2 ** 31);
}

/** Absent: -1, for ever. */
function checkTimeout(milliseconds: number | undefined): number {
  return numberOption('options.blockTimeoutMs', milliseconds, -1);
}

/** Whole pages. A page holds blocks of one size, so by default there is one to spare for each size. */
function checkMaxBytes(maxBytes: number | undefined, capacity: number, maxMessageBytes: number): number {
  if (maxBytes !== undefined) checkInteger('options.maxBytes', maxBytes, maxMessageBytes, MAX_ARENA_BYTES);
  const bytes = maxBytes ?? Math.max(capacity * 256, maxMessageBytes) + blockSizes(maxMessageBytes) * PAGE_BYTES;
  return Math.min(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES, MAX_ARENA_BYTES);
}

/** How many block sizes serve messages of up to so many bytes: each 64 bytes to 256, then four a doubling. */
function blockSizes(maxMessageBytes: number): number {
  const largest = Math.min(maxMessageBytes, MAX_SHARED_BLOCK_BYTES);
  return largest <= 256 ? Math.ceil(largest / 64) : 4 + Math.ceil(4 * Math.log2(largest / 256));
}
