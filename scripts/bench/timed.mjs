import { performance } from 'node:perf_hooks';

const FIRST_ITERATIONS = 64;

/**
 * A sampler for measureRounds(): nanoseconds for one of the iterations of `body`. How many fill `ms` is found out at the
 * first sample, which is the warm-up round's.
 *
 * @param {(iterations: number) => void | Promise<void>} body – a loop; each contender needs a function of its own, made
 *   by its own source text, or the compiler optimises them as one
 * @param {{ ms?: number, before?: () => void, after?: () => void }} options – what to do, untimed, around a sample
 * @returns {() => Promise<number>}
 */
export function timed(body, { ms = 30, before = () => undefined, after = () => undefined } = {}) {
  let iterations = 0;
  const once = async (count) => {
    before();
    const start = performance.now();
    const pending = body(count);
    if (pending !== undefined) await pending;
    const elapsed = performance.now() - start;
    after();
    return elapsed;
  };
  const calibrate = async () => {
    let count = FIRST_ITERATIONS;
    for (;;) {
      const elapsed = await once(count);
      if (elapsed >= ms / 2) return Math.ceil((count * ms) / elapsed);
      count *= elapsed < ms / 16 ? 8 : 2;
    }
  };
  return async () => {
    if (iterations === 0) iterations = await calibrate();
    return ((await once(iterations)) * 1e6) / iterations;
  };
}
