import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { MarketGenerator } from '../../dist/gateway/feed/market-generator.js';
import { Random } from '../../dist/gateway/feed/random.js';

export interface RecordingOptions {
  readonly seed: number;
  readonly messages: number;
  readonly gzip?: boolean;
  /** Lines among the messages that are none. */
  readonly malformed?: readonly string[];
}

export interface Recording {
  readonly messages: number;
  /** The price of each symbol's last trade, digit for digit. */
  readonly last: ReadonlyMap<string, string>;
  readonly vwap: ReadonlyMap<string, number>;
}

const START_MS = 1_723_161_255_030;
/** The exchange's clock is ahead of the receiver's, as in the real recording. */
const CLOCK_AHEAD_MS = 1200;

interface Message {
  readonly data: { readonly e: string; readonly s: string; readonly p: string; readonly q: string };
}

/** Writes a small recording in the format of the real ones, out of a seed, and answers what must come of it. */
export function writeRecording(
  path: string,
  { seed, messages, gzip = false, malformed = [] }: RecordingOptions,
): Recording {
  const generator = new MarketGenerator(seed);
  const random = new Random(seed + 1);
  const lines: string[] = [];
  const last = new Map<string, string>();
  const sums = new Map<string, { notional: number; volume: number }>();
  let nowMs = START_MS;
  for (let i = 0; i < messages; i++) {
    nowMs += random.below(8);
    const text = generator.next(nowMs + CLOCK_AHEAD_MS);
    lines.push(`${nowMs}${String(random.below(1_000_000)).padStart(6, '0')} ${text}`);
    const { data } = JSON.parse(text) as Message;
    if (data.e !== 'trade') continue;
    last.set(data.s, data.p);
    const { notional, volume } = sums.get(data.s) ?? { notional: 0, volume: 0 };
    sums.set(data.s, { notional: notional + Number(data.p) * Number(data.q), volume: volume + Number(data.q) });
  }
  malformed.forEach((line, i) => lines.splice((i * 7) % lines.length, 0, line));
  const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
  writeFileSync(path, gzip ? gzipSync(bytes) : bytes);
  const vwap = new Map([...sums].map(([symbol, { notional, volume }]) => [symbol, notional / volume]));
  return { messages, last, vwap };
}
