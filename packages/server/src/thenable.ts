/** Calls the application's code, which may throw, where `then` is a getter. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}

/** Calls back once and after it has returned, whatever the `then` of an application's own promise does. */
export async function whenSettled(
  promise: PromiseLike<unknown>,
  settled: (failure?: { error: unknown }) => void,
): Promise<void> {
  let failure: { error: unknown } | undefined;
  try {
    await promise;
  } catch (error) {
    failure = { error };
  }
  settled(failure);
}
