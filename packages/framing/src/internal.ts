/**
 * For the other packages of Millrace, which pin the exact version: no promise holds here from one version to the next.
 *
 * @internal
 * @packageDocumentation
 */
export { MAX_FRAME_BYTES, type FramingSpec } from './framing.js';
export { framingSpec } from './framings.js';
export { framingToNative } from './native-options.js';
export { frameError } from './errors.js';
export { FrameView } from './frame-view.js';
export { type FrameEncoder } from './encode/frame-encoder.js';
export { createFrameEncoder } from './encode/encode-frame.js';
