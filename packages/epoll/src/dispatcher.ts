import { native } from './native.js';

/** Events that came together, and how far their delivery is. */
export interface Arrivals {
  /** The next event; undefined: that was the last. */
  next(): { fd: number; events: number; registration: number } | undefined;
}

/** Hears of the events of one poller. What it throws is an uncaught exception; it is called again for the rest. */
export interface Listener {
  onArrivals(arrivals: Arrivals): void;
  /** There will be no more events. `errno` is negative. */
  onFailure(errno: number): void;
}

const batch = new Uint32Array(native.batchWords);
const listeners = new Map<number, Listener>();

class Batch implements Arrivals {
  count = 0;

  next(): { fd: number; events: number; registration: number } | undefined {
    const index = batch[native.batchBegun]!;
    if (index >= this.count) return undefined;
    batch[native.batchBegun] = index + 1;
    const at = native.batchFirst + native.batchStride * index;
    return { fd: batch[at]!, events: batch[at + 1]!, registration: batch[at + 2]! };
  }
}

const arrivals = new Batch();

native.use((poller, count, error) => {
  const listener = listeners.get(poller);
  if (error !== 0) return listener?.onFailure(error);
  arrivals.count = count;
  listener?.onArrivals(arrivals);
}, batch);

/** Whoever is listened for is not garbage. */
export function listen(poller: number, listener: Listener): void {
  listeners.set(poller, listener);
}

export function ignore(poller: number): void {
  listeners.delete(poller);
}
