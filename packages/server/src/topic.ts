export interface ParsedTopic {
  /** A literal topic without its escapes, or a pattern with them. */
  readonly name: Uint8Array;
  readonly pattern: boolean;
}

/** What `subscribe` was given: a pattern if it has an unescaped `*`, `?` or `[`. */
export function parseTopic(topic: string): ParsedTopic {
  if (!/[*?[\\]/.test(topic)) return { name: Buffer.from(topic), pattern: false };
  const pattern = /(?:^|[^\\])(?:\\\\)*[*?[]/.test(topic);
  return { name: Buffer.from(pattern ? topic : topic.replace(/\\(.)/gs, '$1')), pattern };
}

const MASK = (1n << 64n) - 1n;

/** A conflation key in 64 bits: numbers as they are, strings by FNV-1a. */
export function keyNumber(key: string | number | bigint): bigint {
  if (typeof key === 'bigint') return key & MASK;
  if (typeof key === 'number') return BigInt.asUintN(64, BigInt(Math.trunc(key)));
  // Two 32-bit hashes: BigInt arithmetic a character would be slow.
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995) ^ (high >>> 15);
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
