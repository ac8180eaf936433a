/**
 * Counts what is missing in a stream of numbered messages. Beyond its high-water mark a PUB socket drops without telling
 * anybody, so this is the only place where that can be seen.
 */
export class Sequence {
  #last;
  missing = 0;
  gaps = 0;

  /** @param {number} number – each one more than the message's before it */
  next(number) {
    if (this.#last !== undefined && number > this.#last + 1) {
      this.gaps++;
      this.missing += number - this.#last - 1;
    }
    this.#last = number;
  }
}
