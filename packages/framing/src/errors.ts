import { inspect } from 'node:util';
import { codedError } from '@millrace/native';
import { native } from './native.js';

/** The `code` of every error that this package throws. */
export type ErrorCode =
  /** The peer sent, or announced, a frame above `maxBytes`. */
  | 'ERR_FRAME_TOO_LARGE'
  /** The stream breaks the rules of its framing, or a payload does not fit it. */
  | 'ERR_FRAME_INVALID'
  /** The stream ended in the middle of a frame. */
  | 'ERR_FRAME_INCOMPLETE'
  | 'ERR_FRAME_DECODER_CLOSED'
  /** A payload is too large for the framing to send. */
  | 'ERR_MESSAGE_TOO_LARGE'
  /** A frame was read after its time. */
  | 'ERR_MESSAGE_EXPIRED'
  | 'ERR_INVALID_STATE'
  | 'ERR_INVALID_ARG_TYPE'
  | 'ERR_INVALID_ARG_VALUE'
  | 'ERR_OUT_OF_RANGE'
  /** The addon was built from another version of the sources. */
  | 'ERR_LAYOUT_MISMATCH'
  | 'ERR_ADDON_NOT_BUILT'
  | 'ERR_UNSUPPORTED_PLATFORM';

/** An error of this package. */
export function framingError(code: ErrorCode, message: string): Error {
  return codedError(code, message);
}

/** An argument of the right type with a value that will not do. */
export function argumentError(name: string, constraint: string, value: unknown): Error {
  const message = `The property '${name}' ${constraint}. Received ${inspect(value)}`;
  return codedError('ERR_INVALID_ARG_VALUE', message, { ErrorType: TypeError });
}

/**
 * @internal The error for what the native scanner found wrong in a stream.
 *
 * @param number - a FrameError
 * @param detail - its FramingState::detail
 * @param maxBytes - the framing's limit
 */
export function frameError(number: number, detail: bigint | number, maxBytes: number): Error {
  const { text, tooLarge } = native().frameErrors[number]!;
  const message = text
    .replace('{detail}', `${detail}`)
    .replace('{max}', `${maxBytes}`)
    .replace('{char}', () => printable(Number(detail)));
  return framingError(tooLarge ? 'ERR_FRAME_TOO_LARGE' : 'ERR_FRAME_INVALID', message);
}

// As Redis does: an error reply is one line.
function printable(code: number): string {
  return code === 10 || code === 13 ? ' ' : String.fromCharCode(code);
}
