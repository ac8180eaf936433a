import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { FeedKeys } from './feed-keys.js';
import type { FeedInput, FeedSource } from './feed-source.js';
import { LineSplitter, type Line } from './line-splitter.js';
import { messageStart, receivedMs } from './recorded-line.js';
import { StreamHeader } from './stream-header.js';

export interface FileSourceOptions {
  readonly path: string;
  /** Times faster than recorded; Infinity: as fast as the feed takes it. */
  readonly speed: number;
  /** Messages the feed holds: the source pushes only into room that it has seen. */
  readonly capacity: number;
  /** The feed's memory for messages. */
  readonly maxBytes: number;
  readonly maxMessageBytes: number;
  readonly onMalformed: (lines: number) => void;
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
/** How many messages are pushed before the event loop gets its turn. */
const SLICE = 256;
/** Of the feed's memory, for one filling: it lies in blocks of a few sizes, and in pages of one size each. */
const FILLING_SHARE = 1 / 4;
/** How long to wait for room, and the least that a timer is worth, in milliseconds. */
const TICK_MS = 1;
/** The receive time and the blank in front of a message. */
const LINE_HEAD_BYTES = 20;

/**
 * Replays a recording, plain or gzip, into a feed whose overflow policy is `block`, and loses nothing: it waits until
 * there is room instead of blocking its thread. Malformed lines are counted and skipped. Memory: one chunk of the file
 * and one unfinished line.
 */
export class FileSource implements FeedSource {
  readonly #options: FileSourceOptions;
  readonly #input: FeedInput;
  readonly #keys = new FeedKeys();
  readonly #header = new StreamHeader();
  readonly #splitter: LineSplitter;
  #room = 0;
  /** Pushed since the feed was last seen empty. */
  #filledBytes = 0;
  #startedAtMs = 0;
  #firstReceivedMs = NaN;

  constructor(input: FeedInput, options: FileSourceOptions) {
    this.#input = input;
    this.#options = options;
    this.#splitter = new LineSplitter(options.maxMessageBytes + LINE_HEAD_BYTES);
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#startedAtMs = performance.now();
    try {
      const bytes = await openRecording(this.#options.path, signal);
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        for (const line of this.#splitter.split(chunk)) {
          const taken = this.#take(line, signal);
          if (taken !== undefined) await taken;
        }
        this.#countOverlong();
      }
      const last = this.#splitter.end();
      if (last !== undefined) await this.#take(last, signal);
      this.#countOverlong();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Awaits nothing when there is room and the line is due: an await a line would cost more than the rest. */
  #take(line: Line, signal: AbortSignal): Promise<void> | undefined {
    const message = messageStart(line);
    if (message < 0 || line.end - message > this.#options.maxMessageBytes) {
      this.#options.onMalformed(1);
      return undefined;
    }
    const delayMs = this.#delayMs(line);
    if (this.#room > 0 && delayMs < TICK_MS && this.#fits(line.end - message)) {
      this.#push(line, message);
      return undefined;
    }
    return this.#waitAndPush(line, message, delayMs, signal);
  }

  async #waitAndPush(line: Line, message: number, delayMs: number, signal: AbortSignal): Promise<void> {
    if (delayMs >= TICK_MS) await sleep(delayMs, undefined, { signal });
    await nextTurn(undefined, { signal });
    for (;;) {
      const { depth, inFlight } = this.#input.stats();
      if (inFlight === 0) this.#filledBytes = 0;
      this.#room = Math.min(SLICE, this.#options.capacity - depth);
      if (this.#room > 0 && (inFlight === 0 || this.#fits(line.end - message))) break;
      await sleep(TICK_MS, undefined, { signal });
    }
    this.#push(line, message);
  }

  #push({ bytes, end }: Line, message: number): void {
    this.#room--;
    this.#filledBytes += end - message;
    this.#input.push(bytes.subarray(message, end), this.#keys.keyOf(this.#header.read(bytes, message, end)));
  }

  /** Messages are long and short: where the memory does not suffice for `capacity` of them, the feed empties first. */
  #fits(bytes: number): boolean {
    return this.#filledBytes + bytes <= this.#options.maxBytes * FILLING_SHARE;
  }

  /** Until the line is due. */
  #delayMs(line: Line): number {
    const { speed } = this.#options;
    if (speed === Infinity) return 0;
    const received = receivedMs(line);
    if (Number.isNaN(this.#firstReceivedMs)) this.#firstReceivedMs = received;
    return (received - this.#firstReceivedMs) / speed - (performance.now() - this.#startedAtMs);
  }

  #countOverlong(): void {
    const overlong = this.#splitter.takeOverlong();
    if (overlong > 0) this.#options.onMalformed(overlong);
  }
}

async function openRecording(path: string, signal: AbortSignal): Promise<Readable> {
  const file = await open(path);
  const magic = Buffer.alloc(GZIP_MAGIC.length);
  try {
    await file.read(magic, 0, magic.length, 0);
  } finally {
    await file.close();
  }
  const plain = createReadStream(path, { signal });
  if (!magic.equals(GZIP_MAGIC)) return plain;
  // The end of either is the end of both; what went wrong comes out where the bytes are read.
  return pipeline(plain, createGunzip(), () => undefined);
}
