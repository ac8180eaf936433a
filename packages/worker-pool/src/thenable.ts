/** What `await` takes for a promise, without touching properties of what is none. May throw: `then` may be a getter. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  const holds = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return holds && typeof (value as PromiseLike<unknown>).then === 'function';
}
