import { errors } from './errors.js';
import { keyReader, type KeyReader } from './keys.js';
import { HEADER_BYTES, ROW_BYTES } from './native.js';
import type { FeedBatch, FeedKey, FeedKeyKind } from './types.js';

const FIRST_WORD = HEADER_BYTES / 4;
const WORDS = ROW_BYTES / 4;
const FIRST_DOUBLE = HEADER_BYTES / 8 + 3;
const DOUBLES = ROW_BYTES / 8;

/** Views over what a consumer's batches lie in: its lease table and the feed's arena. Made once a consumer. */
export class Lease {
  /** Place 0: messages begun, read by the feed if this thread dies. */
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  readonly readKey: KeyReader;
  readonly view: DataView<ArrayBuffer>;

  constructor(
    table: ArrayBuffer,
    readonly arena: ArrayBuffer,
    kind: FeedKeyKind,
  ) {
    this.words = new Uint32Array(table);
    this.doubles = new Float64Array(table);
    this.readKey = keyReader(kind, table);
    this.view = new DataView(arena);
  }
}

/** One leased batch. A new object each, so that one kept too long answers with an error, not with other messages. */
export class Batch<K extends FeedKeyKind> implements FeedBatch<K> {
  readonly length: number;
  readonly #lease: Lease;
  #live: number;

  constructor(lease: Lease, length: number) {
    this.#lease = lease;
    this.length = length;
    this.#live = length;
    // A function that dies before it looks at anything has begun the first one: no message kills for ever.
    lease.words[0] = 1;
  }

  expire(): void {
    this.#live = 0;
  }

  get view(): DataView<ArrayBufferLike> {
    if (this.#live === 0) throw errors.batchExpired();
    return this.#lease.view;
  }

  bytes(i: number): Uint8Array<ArrayBufferLike> {
    const at = this.#begin(i);
    return new Uint8Array(this.#lease.arena, this.#lease.words[at], this.#lease.words[at + 1]);
  }

  offset(i: number): number {
    return this.#lease.words[this.#begin(i)]!;
  }

  byteLength(i: number): number {
    return this.#lease.words[this.#begin(i) + 1]!;
  }

  key(i: number): FeedKey<K> {
    this.#begin(i);
    return this.#lease.readKey(i) as FeedKey<K>;
  }

  receivedNs(i: number): number {
    this.#begin(i);
    return this.#lease.doubles[FIRST_DOUBLE + i * DOUBLES]!;
  }

  /** Where the row begins, in words. */
  #begin(i: number): number {
    if (i >>> 0 !== i || i >= this.#live) {
      throw this.#live === 0 ? errors.batchExpired() : errors.noSuchMessage(i, this.length);
    }
    const { words } = this.#lease;
    if (i >= words[0]!) words[0] = i + 1;
    return FIRST_WORD + i * WORDS;
  }
}
