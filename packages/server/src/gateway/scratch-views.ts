/** A buffer that is written again and again, and its beginnings as Buffers that are made once. Belongs to one thread. */
export class ScratchViews {
  readonly bytes: Buffer;
  readonly #views: (Buffer | undefined)[];

  /** `kept`: beginnings up to this length are kept. */
  constructor(bytes: number, kept: number = bytes) {
    this.bytes = Buffer.alloc(bytes);
    this.#views = new Array<Buffer | undefined>(kept + 1).fill(undefined);
  }

  /** The first bytes; their content is what was written last. */
  first(length: number): Buffer {
    if (length >= this.#views.length) return this.bytes.subarray(0, length);
    return (this.#views[length] ??= this.bytes.subarray(0, length));
  }
}
