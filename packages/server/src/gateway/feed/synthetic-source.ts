import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { BurstSchedule } from './burst-schedule.js';
import { FeedKeys } from './feed-keys.js';
import type { FeedInput, FeedSource } from './feed-source.js';
import { MarketGenerator } from './market-generator.js';
import { StreamHeader } from './stream-header.js';

const TICK_MS = 5;
/** How many messages are pushed before the event loop gets its turn. */
const SLICE = 256;
/** A thread that was held up longer does not make up for it: a live exchange would not wait either. */
const MAX_BEHIND_SECONDS = 0.25;
const SCRATCH_BYTES = 4096;

/**
 * A live exchange out of a seed: messages come when they are due and the feed's policy decides what becomes of those
 * that nobody has room for. Belongs to one thread; costs about a microsecond a message.
 */
export class SyntheticSource implements FeedSource {
  readonly #input: FeedInput;
  readonly #schedule: BurstSchedule;
  readonly #generator: MarketGenerator;
  readonly #keys = new FeedKeys();
  readonly #header = new StreamHeader();
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);

  constructor(input: FeedInput, perSecond: number, seed: number) {
    this.#input = input;
    this.#schedule = new BurstSchedule(perSecond, seed);
    this.#generator = new MarketGenerator(seed);
  }

  async run(signal: AbortSignal): Promise<void> {
    const startedAtMs = performance.now();
    let skippedSeconds = 0;
    let doneSeconds = 0;
    let sent = 0;
    try {
      for (;;) {
        await sleep(TICK_MS, undefined, { signal });
        let seconds = (performance.now() - startedAtMs) / 1000 - skippedSeconds;
        const behind = seconds - doneSeconds - MAX_BEHIND_SECONDS;
        if (behind > 0) {
          skippedSeconds += behind;
          seconds -= behind;
        }
        doneSeconds = seconds;
        for (const due = this.#schedule.due(seconds); sent < due; sent++) {
          if (sent % SLICE === 0) await nextTurn(undefined, { signal });
          this.#push();
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #push(): void {
    const length = this.#scratch.write(this.#generator.next(Date.now()), 0, 'latin1');
    const header = this.#header.read(this.#scratch, 0, length);
    this.#input.push(this.#scratch.subarray(0, length), this.#keys.keyOf(header));
  }
}
