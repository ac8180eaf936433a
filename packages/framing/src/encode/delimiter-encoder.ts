import type { SpecOf } from '../framing.js';
import { checkMaxBytes, type FrameEncoder } from './frame-encoder.js';

const LINE_FEED = new Uint8Array([10]);

/** @internal `lines` and `delimiter`. Does not look for delimiters inside of a payload. */
export class DelimiterEncoder implements FrameEncoder {
  readonly maxHeaderBytes = 0;
  readonly maxTrailerBytes: number;
  readonly #delimiter: Uint8Array;
  readonly #maxPayloadBytes: number;
  // A payload that may have its delimiter already.
  readonly #carried: boolean;

  constructor(spec: SpecOf<'lines'> | SpecOf<'delimiter'>) {
    this.#delimiter = spec.name === 'delimiter' ? spec.delimiter : LINE_FEED;
    this.#carried = spec.name === 'delimiter' && !spec.strip;
    this.maxTrailerBytes = this.#delimiter.length;
    this.#maxPayloadBytes = spec.maxBytes + (this.#carried ? this.maxTrailerBytes : 0);
  }

  headerBytes(payloadBytes: number): number {
    checkMaxBytes(payloadBytes, this.#maxPayloadBytes);
    return 0;
  }

  writeHeader(): void {}

  writeTrailer(target: Uint8Array, end: number, payloadBytes: number): number {
    const delimiter = this.#delimiter;
    if (this.#carried && payloadBytes >= delimiter.length) {
      const start = end - delimiter.length;
      if (delimiter.every((byte, i) => target[start + i] === byte)) return 0;
    }
    for (let i = 0; i < delimiter.length; i++) target[end + i] = delimiter[i]!;
    return delimiter.length;
  }
}
