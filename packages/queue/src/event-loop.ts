import { errors } from './errors.js';
import { Answer, type Handle, native } from './native.js';

// How other threads reach this one's event loop: one native function for all queues, which says whose waiters are to
// try again.

const wakes = new Map<Handle, () => void>();
let watching = false;
let holders = 0;

/** From here on `wake` is called, in a turn of its own, when what the handle's waiters wait for may be there. */
export function listen(handle: Handle, wake: () => void): void {
  if (!watching) {
    if (native.watch((woken) => wakes.get(woken)?.()) !== Answer.Accepted) throw errors.memory('a doorbell');
    watching = true;
  }
  wakes.set(handle, wake);
}

export function forget(handle: Handle): void {
  wakes.delete(handle);
}

/** `change`: +1 or −1 of those who keep the process alive. */
export function hold(change: 1 | -1): void {
  const held = holders > 0;
  holders += change;
  if (holders > 0 !== held) native.holdLoop(!held);
}
