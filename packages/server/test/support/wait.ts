import { setTimeout } from 'node:timers/promises';

/** Until a condition that nothing announces holds. The test's own time limit ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setTimeout(1);
}

/** A promise and what settles it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** What the body throws, or the promise rejects with. */
export async function failure(body: () => unknown): Promise<NodeJS.ErrnoException> {
  try {
    await body();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('It did not fail');
}
