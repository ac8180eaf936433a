import {
  checkBoolean,
  checkBytes,
  checkInteger,
  checkObject,
  checkOneOf,
  checkString,
  integerOption,
} from '@millrace/native';
import { argumentError } from './errors.js';
import { MAX_FRAME_BYTES, type Framing, type FramingSpec, type SpecOf } from './framing.js';

const DEFAULT_MAX_BYTES = 1 << 20;
const MAX_DELIMITER_BYTES = 16;
const MAX_LENGTH_OFFSET = 65_536;
const MAX_ARGUMENTS = 1024 * 1024;

function limit(maxBytes: number | undefined): number {
  return integerOption('options.maxBytes', maxBytes, { min: 1, max: MAX_FRAME_BYTES, default: DEFAULT_MAX_BYTES });
}

/** No framing: what arrives is handed on as it comes, in pieces of at most 1 MiB. */
export function raw(): Framing {
  return Object.freeze({ name: 'raw' } satisfies SpecOf<'raw'>);
}

/**
 * Lines that end in `\n` or `\r\n`; the end is not part of the frame.
 *
 * @param options.maxBytes - most bytes of a line without its end, 1 to 2^30. **Default:** 1 MiB
 */
export function lines(options: { maxBytes?: number } = {}): Framing {
  const { maxBytes } = checkObject('options', options);
  return Object.freeze({ name: 'lines', maxBytes: limit(maxBytes) } satisfies SpecOf<'lines'>);
}

/**
 * Frames that end in a delimiter of one to sixteen bytes.
 *
 * @param options.delimiter - the bytes, or a string taken as UTF-8
 * @param options.maxBytes - most bytes of a frame without its delimiter, 1 to 2^30. **Default:** 1 MiB
 * @param options.strip - whether the delimiter is left out of the frame. With `false` it is part of the payload, and
 *   encoding adds it only to a payload that does not end in it. **Default:** true
 */
export function delimiter(options: { delimiter: Uint8Array | string; maxBytes?: number; strip?: boolean }): Framing {
  const { delimiter, maxBytes, strip = true } = checkObject('options', options);
  const bytes =
    typeof delimiter === 'string' ? new TextEncoder().encode(delimiter) : checkBytes('options.delimiter', delimiter);
  checkInteger('options.delimiter.byteLength', bytes.byteLength, 1, MAX_DELIMITER_BYTES);
  return Object.freeze({
    name: 'delimiter',
    delimiter: new Uint8Array(bytes),
    maxBytes: limit(maxBytes),
    strip: checkBoolean('options.strip', strip),
  } satisfies SpecOf<'delimiter'>);
}

/**
 * Frames of equal length.
 *
 * @param options.bytes - of each frame, 1 to 2^30
 */
export function fixed(options: { bytes: number }): Framing {
  const { bytes } = checkObject('options', options);
  return Object.freeze({
    name: 'fixed',
    bytes: checkInteger('options.bytes', bytes, 1, MAX_FRAME_BYTES),
  } satisfies SpecOf<'fixed'>);
}

/**
 * `lengthOffset` bytes, a length field, and as many bytes as it says plus `lengthAdjustment` (the options of Netty's
 * LengthFieldBasedFrameDecoder). Encoding writes zeros in front of the length field and the payload behind it, whatever
 * `stripBytes` is.
 *
 * @param options.lengthBytes - 1, 2, 4 or 8. **Default:** 4
 * @param options.endian - byte order of the length field. **Default:** `'big'`
 * @param options.lengthOffset - bytes in front of the length field, 0 to 65,536. **Default:** 0
 * @param options.lengthAdjustment - what to add to the field to get the bytes that follow it: `-lengthBytes` where the
 *   field counts itself. -2^30 to 2^30. **Default:** 0
 * @param options.stripBytes - bytes to leave out at the start of a frame, 0 to 2^30. **Default:** up to the end of the
 *   length field
 * @param options.maxBytes - most bytes behind the length field, 1 to 2^30. **Default:** 1 MiB
 */
export function lengthPrefixed(
  options: {
    lengthBytes?: 1 | 2 | 4 | 8;
    endian?: 'big' | 'little';
    lengthOffset?: number;
    lengthAdjustment?: number;
    stripBytes?: number;
    maxBytes?: number;
  } = {},
): Framing {
  const { lengthBytes = 4, endian = 'big', maxBytes, ...rest } = checkObject('options', options);
  checkOneOf('options.lengthBytes', lengthBytes, [1, 2, 4, 8]);
  const lengthOffset = integerOption('options.lengthOffset', rest.lengthOffset, {
    min: 0,
    max: MAX_LENGTH_OFFSET,
    default: 0,
  });
  return Object.freeze({
    name: 'lengthPrefixed',
    lengthBytes,
    endian: checkOneOf('options.endian', endian, ['big', 'little']),
    lengthOffset,
    lengthAdjustment: integerOption('options.lengthAdjustment', rest.lengthAdjustment, {
      min: -MAX_FRAME_BYTES,
      max: MAX_FRAME_BYTES,
      default: 0,
    }),
    stripBytes: integerOption('options.stripBytes', rest.stripBytes, {
      min: 0,
      max: MAX_FRAME_BYTES,
      default: lengthOffset + lengthBytes,
    }),
    maxBytes: limit(maxBytes),
  } satisfies SpecOf<'lengthPrefixed'>);
}

/**
 * A base-128 varint and as many bytes as it says: protobuf's delimited streams.
 *
 * @param options.maxBytes - most bytes behind the prefix, 1 to 2^30. **Default:** 1 MiB
 */
export function varint(options: { maxBytes?: number } = {}): Framing {
  const { maxBytes } = checkObject('options', options);
  return Object.freeze({ name: 'varint', maxBytes: limit(maxBytes) } satisfies SpecOf<'varint'>);
}

/**
 * Requests of the Redis protocol, RESP2: arrays of bulk strings and inline commands. A frame is a whole request, its
 * parts are the arguments; empty requests are passed over. Limits and error texts are those of Redis. Replies are not
 * parsed: `+OK` is an inline command of one word. Arguments in quotes of an inline command are unescaped in place: such a
 * frame is to be read by its parts. Encoding makes a bulk string of a payload.
 *
 * @param options.maxBytes - most bytes of a request as it stands on the wire, 1 to 2^30. **Default:** 1 MiB
 * @param options.maxArguments - most arguments of a request, 1 to 1,048,576. **Default:** 1,048,576
 */
export function resp(options: { maxBytes?: number; maxArguments?: number } = {}): Framing {
  const { maxBytes, maxArguments } = checkObject('options', options);
  return Object.freeze({
    name: 'resp',
    maxBytes: limit(maxBytes),
    maxArguments: integerOption('options.maxArguments', maxArguments, {
      min: 1,
      max: MAX_ARGUMENTS,
      default: MAX_ARGUMENTS,
    }),
  } satisfies SpecOf<'resp'>);
}

/**
 * FIX messages (tag=value, separated by SOH). BodyLength (9) and CheckSum (10) are checked. A frame is a whole message,
 * its parts are the fields in order, `8=…` first and `10=…` last, without separators. Data fields of FIX 4.0 to 5.0 SP2
 * (96, 89, …) may hold the separator, others may not. Encoding makes a message of a payload that is the fields between
 * BodyLength and CheckSum, each with its separator.
 *
 * @param options.maxBytes - most bytes of a message, 1 to 2^30. **Default:** 1 MiB
 * @param options.beginString - BeginString (8) of encoded messages, 1 to 32 characters; decoding takes any.
 *   **Default:** `'FIX.4.4'`
 */
export function fix(options: { maxBytes?: number; beginString?: string } = {}): Framing {
  const { maxBytes, beginString = 'FIX.4.4' } = checkObject('options', options);
  if (!/^[!-~]{1,32}$/.test(checkString('options.beginString', beginString))) {
    throw argumentError('options.beginString', 'must be 1 to 32 printable ASCII characters', beginString);
  }
  return Object.freeze({ name: 'fix', maxBytes: limit(maxBytes), beginString } satisfies SpecOf<'fix'>);
}

const MAKERS = { raw, lines, delimiter, fixed, lengthPrefixed, varint, resp, fix };

/**
 * @internal Checks that `framing` is one of ours (or a structured clone of one) and gives its options, filled in.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`
 */
export function framingSpec(framing: Framing): FramingSpec {
  const { name } = checkObject('framing', framing);
  const make: (options: never) => Framing =
    MAKERS[checkOneOf('framing.name', name, Object.keys(MAKERS)) as keyof typeof MAKERS];
  return make(framing as never) as FramingSpec;
}
