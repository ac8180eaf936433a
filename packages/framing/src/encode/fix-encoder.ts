import { framingError } from '../errors.js';
import type { SpecOf } from '../framing.js';
import { decimalDigits, writeDecimal } from './decimal.js';
import { messageTooLarge, type FrameEncoder } from './frame-encoder.js';

const SOH = 1;
// "10=000" and SOH
const TRAILER_BYTES = 7;

/** @internal `fix`: puts BeginString and BodyLength in front of the fields of a payload, and CheckSum behind. */
export class FixEncoder implements FrameEncoder {
  readonly maxHeaderBytes: number;
  readonly maxTrailerBytes = TRAILER_BYTES;
  readonly #maxBytes: number;
  // Up to the digits of BodyLength.
  readonly #begin: Uint8Array;

  constructor(spec: SpecOf<'fix'>) {
    this.#maxBytes = spec.maxBytes;
    this.#begin = Buffer.from(`8=${spec.beginString}\x019=`, 'latin1');
    this.maxHeaderBytes = this.#begin.length + decimalDigits(spec.maxBytes) + 1;
  }

  headerBytes(payloadBytes: number): number {
    const header = this.#begin.length + decimalDigits(payloadBytes) + 1;
    const total = header + payloadBytes + TRAILER_BYTES;
    if (total > this.#maxBytes) throw messageTooLarge(total, `the framing's maxBytes (${this.#maxBytes})`);
    return header;
  }

  writeHeader(target: Uint8Array, offset: number, payloadBytes: number): void {
    target.set(this.#begin, offset);
    const digits = offset + this.#begin.length;
    target[writeDecimal(target, digits, payloadBytes, decimalDigits(payloadBytes))] = SOH;
  }

  writeTrailer(target: Uint8Array, end: number, payloadBytes: number): number {
    if (payloadBytes === 0 || target[end - 1] !== SOH) {
      throw framingError('ERR_FRAME_INVALID', 'The fields of a FIX message must each end in SOH (character 1).');
    }
    let sum = 0;
    for (let at = end - payloadBytes - this.headerBytes(payloadBytes); at < end; at++) sum += target[at]!;
    target[end] = 0x31;
    target[end + 1] = 0x30;
    target[end + 2] = 0x3d;
    target[writeDecimal(target, end + 3, sum % 256, 3)] = SOH;
    return TRAILER_BYTES;
  }
}
