import type { SpecOf } from '../framing.js';
import { decimalDigits, writeDecimal } from './decimal.js';
import { checkMaxBytes, type FrameEncoder } from './frame-encoder.js';

const DOLLAR = 0x24;
const CR = 0x0d;
const LF = 0x0a;

/** @internal `resp`: a payload becomes a bulk string, `$LENGTH\r\n…\r\n`. */
export class BulkEncoder implements FrameEncoder {
  readonly maxHeaderBytes: number;
  readonly maxTrailerBytes = 2;
  readonly #maxBytes: number;

  constructor(spec: SpecOf<'resp'>) {
    this.#maxBytes = spec.maxBytes;
    this.maxHeaderBytes = 3 + decimalDigits(spec.maxBytes);
  }

  headerBytes(payloadBytes: number): number {
    checkMaxBytes(payloadBytes, this.#maxBytes);
    return 3 + decimalDigits(payloadBytes);
  }

  writeHeader(target: Uint8Array, offset: number, payloadBytes: number): void {
    target[offset] = DOLLAR;
    const end = writeDecimal(target, offset + 1, payloadBytes, decimalDigits(payloadBytes));
    target[end] = CR;
    target[end + 1] = LF;
  }

  writeTrailer(target: Uint8Array, end: number): number {
    target[end] = CR;
    target[end + 1] = LF;
    return 2;
  }
}
