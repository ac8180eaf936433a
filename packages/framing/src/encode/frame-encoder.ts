import { framingError } from '../errors.js';

/**
 * @internal Writes frames into memory that the caller has: header, payload (the caller's part), trailer. Allocates
 * nothing. One encoder serves any number of frames.
 */
export interface FrameEncoder {
  /** The most bytes in front of any payload that the framing can carry. */
  readonly maxHeaderBytes: number;
  /** The most bytes behind any payload. */
  readonly maxTrailerBytes: number;

  /**
   * Bytes in front of a payload of `payloadBytes` bytes.
   *
   * @throws Error `ERR_MESSAGE_TOO_LARGE` or `ERR_FRAME_INVALID` if the framing cannot carry such a payload
   */
  headerBytes(payloadBytes: number): number;

  /** Writes those bytes at `offset`. `headerBytes` must have accepted the length. */
  writeHeader(target: Uint8Array, offset: number, payloadBytes: number): void;

  /**
   * Writes what stands behind a payload whose header and bytes are in `target` up to `end`.
   *
   * @returns bytes written, at most `maxTrailerBytes`
   * @throws Error `ERR_FRAME_INVALID` if only the bytes show that the framing cannot carry them (`fix`)
   */
  writeTrailer(target: Uint8Array, end: number, payloadBytes: number): number;
}

/** @internal */
export function messageTooLarge(bytes: number, limit: string): Error {
  return framingError(
    'ERR_MESSAGE_TOO_LARGE',
    `Message of ${bytes} bytes is larger than ${limit}. Send it in pieces, or raise the limit.`,
  );
}

/** @internal */
export function checkMaxBytes(bytes: number, maxBytes: number): void {
  if (bytes > maxBytes) throw messageTooLarge(bytes, `the framing's maxBytes (${maxBytes})`);
}
