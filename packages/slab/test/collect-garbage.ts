import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects, and lets finalizers run. */
export async function collectGarbage(): Promise<void> {
  gc();
  await new Promise(setImmediate);
}
