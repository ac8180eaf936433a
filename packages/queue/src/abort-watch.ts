interface Watch {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

// One listener a signal, however many wait with it: Node.js warns of more than ten, and looks through all of them to
// take one off.
const watches = new WeakMap<AbortSignal, Watch>();

/** Has `call` called when the signal aborts. REQUIRES: it has not yet. */
export function watchAbort(signal: AbortSignal, call: () => void): void {
  let watch = watches.get(signal);
  if (watch === undefined) {
    const calls = new Set<() => void>();
    watch = { calls, listener: () => calls.forEach((one) => one()) };
    watches.set(signal, watch);
    signal.addEventListener('abort', watch.listener, { once: true });
  }
  watch.calls.add(call);
}

/** Nothing is left on a signal for which nobody waits. */
export function unwatchAbort(signal: AbortSignal, call: () => void): void {
  const watch = watches.get(signal);
  if (watch?.calls.delete(call) !== true || watch.calls.size > 0) return;
  watches.delete(signal);
  signal.removeEventListener('abort', watch.listener);
}
