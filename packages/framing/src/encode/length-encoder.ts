import { framingError } from '../errors.js';
import type { SpecOf } from '../framing.js';
import { checkMaxBytes, messageTooLarge, type FrameEncoder } from './frame-encoder.js';

/** @internal `lengthPrefixed`. */
export class LengthPrefixEncoder implements FrameEncoder {
  readonly maxHeaderBytes: number;
  readonly maxTrailerBytes = 0;
  readonly #spec: SpecOf<'lengthPrefixed'>;
  readonly #maxField: number;

  constructor(spec: SpecOf<'lengthPrefixed'>) {
    this.#spec = spec;
    this.maxHeaderBytes = spec.lengthOffset + spec.lengthBytes;
    // A field never needs more than 32 bits: payload and adjustment are at most 2^30 each.
    this.#maxField = 2 ** (8 * Math.min(spec.lengthBytes, 4)) - 1;
  }

  headerBytes(payloadBytes: number): number {
    const { maxBytes, lengthAdjustment, lengthBytes } = this.#spec;
    checkMaxBytes(payloadBytes, maxBytes);
    const field = payloadBytes - lengthAdjustment;
    if (field < 0) {
      throw framingError(
        'ERR_FRAME_INVALID',
        `Message of ${payloadBytes} bytes is shorter than the framing's lengthAdjustment (${lengthAdjustment}), which promises as many.`,
      );
    }
    if (field > this.#maxField) throw messageTooLarge(payloadBytes, `a length field of ${lengthBytes} byte(s) can say`);
    return this.maxHeaderBytes;
  }

  writeHeader(target: Uint8Array, offset: number, payloadBytes: number): void {
    const { lengthOffset, lengthBytes, lengthAdjustment, endian } = this.#spec;
    if (lengthOffset > 0) target.fill(0, offset, offset + lengthOffset);
    const field = payloadBytes - lengthAdjustment;
    const at = offset + lengthOffset;
    // The lowest byte first, then towards the highest.
    const lowest = endian === 'little' ? at : at + lengthBytes - 1;
    const step = endian === 'little' ? 1 : -1;
    for (let i = 0; i < lengthBytes; i++) target[lowest + i * step] = i < 4 ? field >>> (8 * i) : 0;
  }

  writeTrailer(): number {
    return 0;
  }
}

/** @internal `varint`. */
export class VarintEncoder implements FrameEncoder {
  readonly maxHeaderBytes: number;
  readonly maxTrailerBytes = 0;
  readonly #maxBytes: number;

  constructor(spec: SpecOf<'varint'>) {
    this.#maxBytes = spec.maxBytes;
    this.maxHeaderBytes = varintBytes(spec.maxBytes);
  }

  headerBytes(payloadBytes: number): number {
    checkMaxBytes(payloadBytes, this.#maxBytes);
    return varintBytes(payloadBytes);
  }

  writeHeader(target: Uint8Array, offset: number, payloadBytes: number): void {
    let at = offset;
    let rest = payloadBytes;
    for (; rest >= 0x80; rest >>>= 7) target[at++] = rest | 0x80;
    target[at] = rest;
  }

  writeTrailer(): number {
    return 0;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}
