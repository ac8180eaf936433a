import type { Framing } from './framing.js';
import { framingSpec } from './framings.js';

// FramingKind of native/include/millrace/framing/framing_options.h, where the layout of the words is drawn too.
const KINDS = { raw: 0, lines: 1, delimiter: 2, fixed: 3, lengthPrefixed: 4, varint: 5, resp: 6, fix: 7 };

const WORDS = 15;

// A message of more fields than this is refused.
const MAX_FIX_FIELDS = 65_536;

/**
 * @internal The options of a framing in the words that `decode_framing()` reads, for any addon that is given a framing.
 * @throws TypeError, RangeError if it is no framing
 */
export function framingToNative(framing: Framing): Uint32Array<ArrayBuffer> {
  const spec = framingSpec(framing);
  // What a framing has no use for must still be in range.
  const words = new Uint32Array(WORDS);
  words.set([KINDS[spec.name], 1 << 20, 1, 0, 0, 4, 0, 0, 4, 1, 0]);
  if ('maxBytes' in spec) words[1] = spec.maxBytes;
  switch (spec.name) {
    case 'delimiter':
      words[2] = spec.strip ? 1 : 0;
      words[10] = spec.delimiter.length;
      spec.delimiter.forEach((byte, i) => (words[11 + (i >> 2)]! |= byte << ((i & 3) * 8)));
      break;
    case 'fixed':
      words[4] = spec.bytes;
      break;
    case 'lengthPrefixed':
      words[3] = spec.endian === 'little' ? 1 : 0;
      words[5] = spec.lengthBytes;
      words[6] = spec.lengthOffset;
      words[7] = spec.lengthAdjustment;
      words[8] = spec.stripBytes;
      break;
    case 'resp':
      words[9] = spec.maxArguments;
      break;
    case 'fix':
      words[9] = MAX_FIX_FIELDS;
      break;
  }
  return words;
}
