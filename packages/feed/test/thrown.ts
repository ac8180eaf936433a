/** The error that `body` throws. */
export function thrown(body: () => unknown): NodeJS.ErrnoException {
  try {
    body();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('did not throw');
}

/** The error that a promise rejects with. */
export async function rejected(promise: Promise<unknown>): Promise<NodeJS.ErrnoException> {
  try {
    await promise;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('did not reject');
}
