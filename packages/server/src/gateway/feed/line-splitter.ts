const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line's place in `bytes`, without its end. */
export interface Line {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts chunks into lines. Belongs to one thread; owns a copy of the unfinished line, at most `maxLineBytes`: what is
 * longer is skipped and counted. No byte is searched twice, and only lines across chunks are copied.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #skipping = false;
  #overlong = 0;

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** How many lines were longer than the limit since it was last asked. */
  takeOverlong(): number {
    const overlong = this.#overlong;
    this.#overlong = 0;
    return overlong;
  }

  /** The lines that end in `chunk`, which must stay as it is until the last was taken. Empty ones are left out. */
  *split(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      const line = this.#finish(chunk, start, end);
      start = end + 1;
      if (line !== undefined) yield line;
    }
    this.#keep(chunk.subarray(start));
  }

  /** The last line, where the input does not end with a line feed. */
  end(): Line | undefined {
    return this.#finish(Buffer.alloc(0), 0, 0);
  }

  #finish(chunk: Buffer, start: number, end: number): Line | undefined {
    const skipped = this.#skipping || this.#pieceBytes + end - start > this.#maxLineBytes;
    const pieces = this.#pieces;
    if (skipped) this.#overlong++;
    this.#skipping = false;
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (skipped) return undefined;
    if (pieces.length === 0) return trim(chunk, start, end);
    const bytes = Buffer.concat([...pieces, chunk.subarray(start, end)]);
    return trim(bytes, 0, bytes.length);
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0 || this.#skipping) return;
    if (this.#pieceBytes + rest.length > this.#maxLineBytes) {
      this.#skipping = true;
      this.#pieces = [];
      this.#pieceBytes = 0;
      return;
    }
    this.#pieces.push(Buffer.from(rest));
    this.#pieceBytes += rest.length;
  }
}

function trim(bytes: Buffer, start: number, end: number): Line | undefined {
  const trimmed = end > start && bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end;
  return trimmed > start ? { bytes, start, end: trimmed } : undefined;
}
