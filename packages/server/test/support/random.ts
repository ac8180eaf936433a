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

/** Runs a random test, and names its seed in whatever it throws. */
export async function withRandom<T>(body: (random: Random) => Promise<T>): Promise<T> {
  const given = process.env.MILLRACE_SEED;
  const seed = given === undefined ? Date.now() >>> 0 : Number(given) >>> 0;
  try {
    return await body(new Random(seed));
  } catch (error) {
    throw new Error(`with MILLRACE_SEED=${seed}: ${(error as Error).message}`, { cause: error });
  }
}
