export { type Framing } from './framing.js';
export { raw, lines, delimiter, fixed, lengthPrefixed, varint, resp, fix } from './framings.js';
export { type Frame } from './frame.js';
export { encodeFrame } from './encode/encode-frame.js';
export { FrameDecoder } from './frame-decoder.js';
export { type ErrorCode } from './errors.js';
