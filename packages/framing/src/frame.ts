/**
 * One message in the memory it arrived in. Valid only inside of the function it was given to: afterwards everything
 * throws `ERR_MESSAGE_EXPIRED`. Reading costs no copy; offsets are checked, and one outside of the frame throws
 * RangeError `ERR_OUT_OF_RANGE`.
 */
export interface Frame {
  /** Bytes of the payload. */
  readonly byteLength: number;
  /** The byte at `offset`. */
  u8(offset: number): number;
  /** An unsigned 16-bit integer, big-endian unless told otherwise. */
  u16(offset: number, littleEndian?: boolean): number;
  /** An unsigned 32-bit integer, big-endian unless told otherwise. */
  u32(offset: number, littleEndian?: boolean): number;
  /** A signed 32-bit integer, big-endian unless told otherwise. */
  i32(offset: number, littleEndian?: boolean): number;
  /** An unsigned 64-bit integer, big-endian unless told otherwise. */
  u64(offset: number, littleEndian?: boolean): bigint;
  /** A double, big-endian unless told otherwise. */
  f64(offset: number, littleEndian?: boolean): number;
  /** Bytes `start` (0) to `end` (byteLength) as a string, each byte a character. */
  latin1(start?: number, end?: number): string;
  /** Bytes `start` (0) to `end` (byteLength) as a string. */
  utf8(start?: number, end?: number): string;
  /**
   * Bytes `start` (0) to `end` (byteLength) where they lie, not a copy: they are overwritten once the frame has
   * expired. Do not post it to another thread: that copies, or takes away, all of the memory it lies in.
   */
  view(start?: number, end?: number): Uint8Array<ArrayBufferLike>;
  /** Bytes `start` (0) to `end` (byteLength) in a Buffer of their own, to keep. */
  copy(start?: number, end?: number): Buffer<ArrayBuffer>;
  /** Arguments of a `resp()` request, fields of a `fix()` message, otherwise 0. */
  readonly partCount: number;
  /** The bytes of part `i` where they lie: see `view`. */
  part(i: number): Uint8Array<ArrayBufferLike>;
  /** Part `i` as a string, each byte a character. */
  partLatin1(i: number): string;
  /** Part `i` as a string. */
  partUtf8(i: number): string;
  /** Where part `i` begins, in bytes from the start of the frame. */
  partOffset(i: number): number;
  /** Bytes of part `i`. */
  partLength(i: number): number;
}
