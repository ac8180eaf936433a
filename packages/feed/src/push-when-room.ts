import { performance } from 'node:perf_hooks';
import { errors } from './errors.js';
import { type NativeFeed, Push } from './native.js';

/** A native call is never interrupted: a thread that waits comes back so often, and can then be terminated. */
const WAIT_SLICE_MS = 50;

/**
 * Goes on with a push that found no room (`block`): waits, calling `whileBlocked` now and then, until it is taken, or
 * dropped after `blockTimeoutMs`.
 *
 * @throws Error `ERR_FEED_DEADLOCK` if only consumers of this very thread could make room
 */
export function pushWhenRoom(native: NativeFeed, bytes: Uint8Array, whileBlocked: () => void): Push {
  const { blockTimeoutMs } = native;
  const began = performance.now();
  const deadline = blockTimeoutMs < 0 ? Infinity : began + blockTimeoutMs;
  let result: Push = Push.Full;
  let now = began;
  while (result === Push.Full && now < deadline) {
    if (native.waitsForItself()) throw errors.deadlock();
    native.waitForRoom(Math.min(deadline - now, WAIT_SLICE_MS));
    whileBlocked();
    result = native.pushAgain(bytes);
    now = performance.now();
  }
  if (result === Push.Full) {
    native.giveUp();
    result = Push.Dropped;
  }
  native.noteWait(now - began);
  return result;
}
