import { Random } from '../../dist/gateway/feed/random.js';

/** The seed of a random test: from MILLRACE_SEED, or a new one. */
export function chooseSeed(): number {
  const given = process.env.MILLRACE_SEED;
  return given === undefined ? Date.now() >>> 0 : Number(given) >>> 0;
}

/** Runs `body` and names the seed in whatever it throws. */
export async function withSeed<T>(body: (random: Random, seed: number) => T | Promise<T>): Promise<T> {
  const seed = chooseSeed();
  try {
    return await body(new Random(seed), seed);
  } catch (error) {
    throw new Error(`with MILLRACE_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)]!;
}
