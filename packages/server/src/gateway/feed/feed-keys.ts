import type { StreamHeader } from './stream-header.js';

const SERIALS = 0x80000000;

/**
 * The keys under which messages enter the feed, 64 bits: the symbol's hash below, so that one worker gets all of a
 * symbol's messages in their order, and above it for best quotes, of which only the newest matters, the symbol's other
 * hash, for the rest a number that no other message in the queue has, told apart by the top bit: trades and depth are
 * never conflated. One object a source; a key costs one bigint.
 */
export class FeedKeys {
  readonly #words = new Uint32Array(2);
  readonly #key = new BigUint64Array(this.#words.buffer);
  readonly #low: number;
  #serial = 0;

  constructor() {
    // Where the low half lies depends on the machine.
    this.#key[0] = 1n;
    this.#low = this.#words[0] === 1 ? 0 : 1;
  }

  keyOf({ kind, symbolHash, symbolCheck }: StreamHeader): bigint {
    this.#words[this.#low] = symbolHash;
    this.#words[1 - this.#low] = kind === 'quote' ? symbolCheck : this.#nextSerial();
    return this.#key[0]!;
  }

  #nextSerial(): number {
    this.#serial = (this.#serial + 1) & 0x7fffffff;
    return this.#serial + SERIALS;
  }
}
