import { checkBytes } from '@millrace/native';
import type { Framing } from '../framing.js';
import { framingSpec } from '../framings.js';
import { BulkEncoder } from './bulk-encoder.js';
import { DelimiterEncoder } from './delimiter-encoder.js';
import { FixEncoder } from './fix-encoder.js';
import type { FrameEncoder } from './frame-encoder.js';
import { LengthPrefixEncoder, VarintEncoder } from './length-encoder.js';
import { PlainEncoder } from './plain-encoder.js';

/** @internal @throws TypeError, RangeError if it is no framing */
export function createFrameEncoder(framing: Framing): FrameEncoder {
  const spec = framingSpec(framing);
  switch (spec.name) {
    case 'raw':
    case 'fixed':
      return new PlainEncoder(spec);
    case 'lines':
    case 'delimiter':
      return new DelimiterEncoder(spec);
    case 'lengthPrefixed':
      return new LengthPrefixEncoder(spec);
    case 'varint':
      return new VarintEncoder(spec);
    case 'resp':
      return new BulkEncoder(spec);
    case 'fix':
      return new FixEncoder(spec);
  }
}

const encoders = new WeakMap<Framing, FrameEncoder>();

/**
 * A payload with what its framing needs: `lines` adds `\n`, `lengthPrefixed` a header, `resp` makes a bulk string.
 * Delimiters inside of the payload are not looked for.
 *
 * @param payload - bytes, or a string taken as UTF-8
 * @returns a Buffer of its own
 * @throws Error `ERR_MESSAGE_TOO_LARGE` above the framing's `maxBytes`; `ERR_FRAME_INVALID` if the payload does not fit
 *   the framing otherwise (too short for `fixed`)
 * @example
 * socket.write(encodeFrame(lengthPrefixed(), 'hello')); // 00 00 00 05 68 65 6c 6c 6f
 */
export function encodeFrame(framing: Framing, payload: Uint8Array | string): Buffer {
  let encoder = encoders.get(framing);
  if (encoder === undefined) {
    encoder = createFrameEncoder(framing);
    encoders.set(framing, encoder);
  }
  const isString = typeof payload === 'string';
  const payloadBytes = isString ? Buffer.byteLength(payload) : checkBytes('payload', payload).byteLength;
  const headerBytes = encoder.headerBytes(payloadBytes);
  const end = headerBytes + payloadBytes;
  const frame = Buffer.allocUnsafe(end + encoder.maxTrailerBytes);
  encoder.writeHeader(frame, 0, payloadBytes);
  if (isString) frame.write(payload, headerBytes);
  else frame.set(payload, headerBytes);
  const total = end + encoder.writeTrailer(frame, end, payloadBytes);
  return total === frame.length ? frame : frame.subarray(0, total);
}
