import { framingError } from '../errors.js';
import type { SpecOf } from '../framing.js';
import { messageTooLarge, type FrameEncoder } from './frame-encoder.js';

/** @internal Payloads that stand for themselves: `raw`, and `fixed`, which asks for its length. */
export class PlainEncoder implements FrameEncoder {
  readonly maxHeaderBytes = 0;
  readonly maxTrailerBytes = 0;
  readonly #bytes: number | undefined;

  constructor(spec: SpecOf<'raw'> | SpecOf<'fixed'>) {
    this.#bytes = spec.name === 'fixed' ? spec.bytes : undefined;
  }

  headerBytes(payloadBytes: number): number {
    if (this.#bytes === undefined || payloadBytes === this.#bytes) return 0;
    if (payloadBytes > this.#bytes) throw messageTooLarge(payloadBytes, `the framing's frames (${this.#bytes})`);
    throw framingError(
      'ERR_FRAME_INVALID',
      `Message of ${payloadBytes} bytes is shorter than the framing's frames (${this.#bytes}). Pad it.`,
    );
  }

  writeHeader(): void {}

  writeTrailer(): number {
    return 0;
  }
}
