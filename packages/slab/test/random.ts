/** Small and seeded (mulberry32); the seed is MILLRACE_SEED or the time. */
export class Random {
  #state: number;

  constructor(readonly seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }
}

function named(seed: number, error: unknown): Error {
  return new Error(`with MILLRACE_SEED=${seed}: ${(error as Error).message}`, { cause: error });
}

/** Runs a random test, and names its seed in whatever it throws. */
export function withRandom<T>(body: (random: Random) => T): T {
  const given = process.env.MILLRACE_SEED;
  const seed = given === undefined ? Date.now() >>> 0 : Number(given) >>> 0;
  try {
    const result = body(new Random(seed));
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw named(seed, error);
    }) as T;
  } catch (error) {
    throw named(seed, error);
  }
}
