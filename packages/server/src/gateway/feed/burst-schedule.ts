import { Random } from './random.js';

const QUIET = 0.25;
const BURST = 4;
const BURST_SECONDS = 0.2;

/**
 * When the messages of a synthetic feed come: each second a quarter of the rate, but for a burst of 0.2 s at four times
 * the rate, at a place that the seed chooses. Over a whole second that is the rate.
 */
export class BurstSchedule {
  readonly #perSecond: number;
  readonly #seed: number;
  #second = -1;
  #burstStart = 0;

  constructor(perSecond: number, seed: number) {
    this.#perSecond = perSecond;
    this.#seed = seed;
  }

  /** How many messages are due `seconds` after the start. */
  due(seconds: number): number {
    const second = Math.floor(seconds);
    const part = seconds - second;
    const inBurst = Math.min(BURST_SECONDS, Math.max(0, part - this.#burstStartOf(second)));
    return Math.floor(this.#perSecond * (second + QUIET * part + (BURST - QUIET) * inBurst));
  }

  #burstStartOf(second: number): number {
    if (second !== this.#second) {
      this.#second = second;
      this.#burstStart = new Random(this.#seed ^ Math.imul(second + 1, 0x9e3779b1)).next() * (1 - BURST_SECONDS);
    }
    return this.#burstStart;
  }
}
