import { checkBytes, checkFunction } from '@millrace/native';
import { frameError, framingError } from './errors.js';
import type { Frame } from './frame.js';
import { FrameView } from './frame-view.js';
import type { Framing } from './framing.js';
import { framingSpec } from './framings.js';
import { framingToNative } from './native-options.js';
import { native, type FramingAddon, type StreamScanner } from './native.js';

const MIN_MEMORY_BYTES = 4096;
// Long chunks are taken in pieces of this size, or as much again as an unfinished frame has.
const PIECE_BYTES = 64 * 1024;
const FRAMES_PER_SCAN = 128;
const FIRST_PART_WORDS = 512;

const EMPTY = new Uint8Array(0);
const EMPTY_PARTS = new Uint32Array(0);

/**
 * Finds frames in a stream of chunks, wherever the chunks are cut. For one stream and one thread. Owns a buffer that
 * grows with what an unfinished frame really has, up to twice the framing's `maxBytes` (at least 128 KiB). Each chunk is
 * copied; scanning is linear, some tens of nanoseconds a small frame.
 *
 * @example
 * const decoder = new FrameDecoder(lines());
 * socket.on('data', (chunk) => decoder.push(chunk, (line) => console.log(line.utf8())));
 * socket.on('end', () => decoder.end());
 */
export class FrameDecoder implements Disposable {
  readonly #addon: FramingAddon;
  readonly #scanner: StreamScanner;
  readonly #maxBytes: number;
  readonly #pieceBytes: number;
  readonly #frame = new FrameView();
  #memory: Uint8Array<ArrayBuffer> = EMPTY;
  // Bytes of #memory that are not consumed.
  #start = 0;
  #end = 0;
  // Whether there are bytes that the scanner has not seen.
  #unseen = false;
  readonly #table: Uint32Array<ArrayBuffer>;
  #parts = new Uint32Array(FIRST_PART_WORDS);
  // Frames of #table that were visited, and that are in it.
  #visited = 0;
  #found = 0;
  #failure: { number: number; detail: bigint } | undefined;
  #visiting = false;
  #ended = false;
  #closed = false;

  /**
   * @param framing - how the stream is framed
   * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` if it is no framing
   */
  constructor(framing: Framing) {
    const spec = framingSpec(framing);
    this.#addon = native();
    const scanner = this.#addon.open(framingToNative(framing));
    if (scanner === undefined) {
      throw framingError(
        'ERR_LAYOUT_MISMATCH',
        'The addon is of another version: run "npm rebuild @millrace/framing".',
      );
    }
    this.#scanner = scanner;
    this.#maxBytes = 'maxBytes' in spec ? spec.maxBytes : 0;
    // Without framing a chunk is a frame: it is not cut if it need not be.
    this.#pieceBytes = spec.name === 'raw' ? this.#addon.maxFrameBytes(scanner) : PIECE_BYTES;
    this.#table = new Uint32Array(this.#addon.tableHeaderWords + FRAMES_PER_SCAN * this.#addon.tableFrameWords);
  }

  /** Bytes that were pushed and belong to no visited frame yet. */
  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  /**
   * Takes the next bytes of the stream and calls `visit` with each frame that they complete, in order. A chunk may be
   * empty.
   *
   * What `visit` throws comes out of `push`. Its frame counts as visited; those behind it are kept and visited by the
   * next push.
   *
   * @param chunk - is copied, and may be used again
   * @param visit - the frame it is given is valid until it returns
   * @throws Error `ERR_FRAME_TOO_LARGE` for a frame above `maxBytes`, `ERR_FRAME_INVALID` for a stream that breaks its
   *   framing, both after the frames before it were visited; from then on every push throws the same
   * @throws Error `ERR_INVALID_STATE` from within `visit` and after `end`, `ERR_FRAME_DECODER_CLOSED` after `close`
   */
  push(chunk: Uint8Array, visit: (frame: Frame) => void): void {
    checkBytes('chunk', chunk);
    checkFunction('visit', visit);
    this.#checkUsable('push()');
    if (this.#ended) throw framingError('ERR_INVALID_STATE', 'push() after end(): a decoder is for one stream.');
    let taken = 0;
    this.#visiting = true;
    try {
      for (;;) {
        this.#visitFound(visit);
        if (this.#closed) return;
        if (this.#scan()) continue;
        if (taken === chunk.length) return;
        const piece = Math.max(this.#pieceBytes, this.bufferedBytes);
        taken += this.#take(taken === 0 && chunk.length <= piece ? chunk : chunk.subarray(taken, taken + piece));
      }
    } catch (error) {
      if (this.#failure === undefined && !this.#closed) this.#take(chunk.subarray(taken));
      throw error;
    } finally {
      this.#visiting = false;
      this.#frame.expire();
      if (this.#closed || this.#broken) this.#release();
    }
  }

  /**
   * Says that the stream has ended.
   *
   * @throws Error `ERR_FRAME_INCOMPLETE` if it ended within a frame; `ERR_INVALID_STATE` if frames wait for a push
   *   because `visit` threw; what `push` throws for a broken stream
   */
  end(): void {
    this.#checkUsable('end()');
    if (this.#visited < this.#found || this.#unseen) {
      throw framingError('ERR_INVALID_STATE', 'end() before all frames were visited: push an empty chunk first.');
    }
    const bytes = this.bufferedBytes;
    if (bytes > 0) {
      throw framingError('ERR_FRAME_INCOMPLETE', `The stream ended within a frame: ${bytes} bytes of it had come.`);
    }
    this.#ended = true;
  }

  /** Lets go of the memory. Idempotent; may be called within `visit`, which is then called no more. */
  close(): void {
    this.#closed = true;
    if (!this.#visiting) this.#release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // Nothing is left to visit before the point where the stream broke.
  get #broken(): boolean {
    return this.#failure !== undefined && this.#visited === this.#found;
  }

  #checkUsable(what: string): void {
    if (this.#closed) throw framingError('ERR_FRAME_DECODER_CLOSED', `${what} on a closed decoder.`);
    if (this.#visiting) throw framingError('ERR_INVALID_STATE', `${what} within visit: return from it first.`);
    if (this.#broken) throw this.#brokenError();
  }

  #brokenError(): Error {
    const { number, detail } = this.#failure!;
    return frameError(number, detail, this.#maxBytes);
  }

  #visitFound(visit: (frame: Frame) => void): void {
    const { tableHeaderWords, tableFrameWords } = this.#addon;
    const table = this.#table;
    while (this.#visited < this.#found && !this.#closed) {
      const row = tableHeaderWords + tableFrameWords * this.#visited++;
      // Behind the last frame there may be bytes that hold none.
      this.#start = this.#visited === this.#found ? table[2]! : table[row + 2]!;
      this.#frame.reset(table[row]!, table[row + 1]!, table[row + 3]!, table[row + 4]!);
      visit(this.#frame);
    }
  }

  // Looks at the bytes that were not looked at; false if there are none. REQUIRES: all frames found were visited.
  #scan(): boolean {
    if (this.#failure !== undefined) throw this.#brokenError();
    if (!this.#unseen) return false;
    this.#checkMemory();
    const { incomplete, partsFull, error } = this.#addon.scanResults;
    const table = this.#table;
    this.#addon.scan(this.#scanner, this.#memory, this.#start, this.#end, table, this.#parts);
    const result = table[1]!;
    this.#visited = 0;
    this.#found = table[0]!;
    if (this.#found === 0) this.#start = table[2]!;
    if (result === incomplete) {
      this.#unseen = false;
    } else if (result === error) {
      this.#failure = { number: table[3]!, detail: (BigInt(table[5]!) << 32n) | BigInt(table[4]!) };
    } else if (result === partsFull && this.#found === 0) {
      this.#parts = new Uint32Array(2 * table[6]!);
      this.#frame.setMemory(this.#memory, this.#parts);
    }
    return true;
  }

  // Appends bytes, and answers how many. Found frames that wait stay where they are.
  #take(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    this.#checkMemory();
    const waiting = this.#visited < this.#found;
    const needed = this.bufferedBytes + bytes.length;
    if (waiting ? this.#end + bytes.length > this.#memory.length : needed > this.#memory.length) {
      this.#grow(waiting ? this.#end + bytes.length : needed, waiting);
    } else if (!waiting && this.#end + bytes.length > this.#memory.length) {
      this.#memory.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#memory.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#unseen = true;
    return bytes.length;
  }

  #grow(needed: number, inPlace: boolean): void {
    const memory = new Uint8Array(Math.max(needed, 2 * this.#memory.length, MIN_MEMORY_BYTES));
    const shift = inPlace ? 0 : this.#start;
    memory.set(this.#memory.subarray(this.#start, this.#end), this.#start - shift);
    this.#start -= shift;
    this.#end -= shift;
    this.#memory = memory;
    this.#frame.setMemory(memory, this.#parts);
  }

  #checkMemory(): void {
    if (this.#memory.length >= this.#end) return;
    this.#closed = true;
    throw framingError('ERR_INVALID_STATE', "The decoder's memory was transferred away with the view of a frame.");
  }

  #release(): void {
    this.#memory = EMPTY;
    this.#parts = EMPTY_PARTS;
    this.#frame.setMemory(EMPTY);
    this.#start = this.#end = this.#visited = this.#found = 0;
    this.#unseen = false;
  }
}
