/** What a message is, by the name of its stream: `{"stream":"btcusdt@trade",…`. */
export type StreamKind = 'quote' | 'trade' | 'depth' | 'other';

const START = Buffer.from('{"stream":"');
const AT = 0x40;
const MAX_SYMBOL_BYTES = 64;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const CHECK_FACTOR = 0x9e3779b1;

const KIND_BY_FIRST_LETTER: Readonly<Record<number, StreamKind>> = { 0x62: 'quote', 0x74: 'trade', 0x64: 'depth' };

/**
 * Reads a message's head without decoding it. One object a thread; the answer to `read` stands in its fields until
 * the next. Costs a loop over the symbol's letters.
 */
export class StreamHeader {
  kind: StreamKind = 'other';
  /** FNV-1a of the symbol as the stream spells it, 32 bits; 0 for other messages. */
  symbolHash = 0;
  /** Another hash of the symbol, 31 bits: symbols that share the first hardly share both. */
  symbolCheck = 0;

  read(bytes: Uint8Array, start: number, end: number): this {
    this.kind = 'other';
    this.symbolHash = 0;
    this.symbolCheck = 0;
    let i = start;
    for (const byte of START) if (i >= end || bytes[i++] !== byte) return this;
    const limit = Math.min(end, i + MAX_SYMBOL_BYTES);
    let hash = FNV_OFFSET;
    let check = 0;
    for (; i < limit; i++) {
      const byte = bytes[i]!;
      if (byte === AT) {
        this.kind = KIND_BY_FIRST_LETTER[bytes[i + 1]!] ?? 'other';
        this.symbolHash = hash >>> 0;
        this.symbolCheck = check >>> 1;
        return this;
      }
      hash = Math.imul(hash ^ byte, FNV_PRIME);
      check = Math.imul(check + byte, CHECK_FACTOR);
      check ^= check >>> 15;
    }
    return this;
  }
}
