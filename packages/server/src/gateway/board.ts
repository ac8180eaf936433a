/**
 * Figures that one thread writes and all may read: 64-bit floats in shared memory, each with one writer, so that plain
 * stores do. A reader sees a figure that was true a moment ago.
 */
const FIGURES = [
  'startedAtMs',
  'port',
  'memoryPlanBytes',
  'serverUsedBytes',
  'connectionsAccepted',
  'connectionsRejected',
  'bytesRead',
  'bytesWritten',
  'publishedDelivered',
  'publishedDropped',
  'publishedConflated',
  'feedState',
  'feedMalformed',
] as const;

export type Figure = (typeof FIGURES)[number];

/** Figures that each worker counts by itself: read as their sum. */
const COUNTERS = [
  'commands',
  'commandErrors',
  'feedTrades',
  'feedQuotes',
  'feedOther',
  'feedUnreadable',
  'feedLate',
  'feedUnstored',
] as const;

export type Counter = (typeof COUNTERS)[number];

export const FEED_STATES = ['none', 'running', 'finished', 'failed'] as const;

export type FeedState = (typeof FEED_STATES)[number];

/** Indices beyond share the last place; their counts are then approximate. */
const MAX_WORKERS = 128;

const FIGURE_INDEX = new Map(FIGURES.map((name, index) => [name, index]));
const COUNTER_INDEX = new Map(COUNTERS.map((name, index) => [name, FIGURES.length + index * MAX_WORKERS]));

export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array<SharedArrayBuffer>;

  constructor(
    buffer = new SharedArrayBuffer((FIGURES.length + COUNTERS.length * MAX_WORKERS) * Float64Array.BYTES_PER_ELEMENT),
  ) {
    this.buffer = buffer;
    this.#cells = new Float64Array(buffer);
  }

  get(figure: Figure): number {
    return this.#cells[FIGURE_INDEX.get(figure)!]!;
  }

  set(figure: Figure, value: number): void {
    this.#cells[FIGURE_INDEX.get(figure)!] = value;
  }

  get feedState(): FeedState {
    return FEED_STATES[this.get('feedState')]!;
  }

  set feedState(state: FeedState) {
    this.set('feedState', FEED_STATES.indexOf(state));
  }

  /** A worker's own counter, to be called once and kept: adding is one store. */
  counter(counter: Counter, workerIndex: number): (amount: number) => void {
    const cells = this.#cells;
    const index = COUNTER_INDEX.get(counter)! + Math.min(workerIndex, MAX_WORKERS - 1);
    return (amount) => {
      cells[index] = cells[index]! + amount;
    };
  }

  sum(counter: Counter): number {
    const start = COUNTER_INDEX.get(counter)!;
    let sum = 0;
    for (let i = start; i < start + MAX_WORKERS; i++) sum += this.#cells[i]!;
    return sum;
  }
}
