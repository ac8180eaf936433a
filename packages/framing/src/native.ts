import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal A stream's framing and how far it was scanned; opaque. */
export type StreamScanner = object;

/** @internal What src/binding.cc exports. */
export interface FramingAddon {
  /** By number. */
  readonly frameErrors: readonly { text: string; tooLarge: boolean }[];
  /** The table of StreamScanner (stream_scanner.h): words of its head and of each frame. */
  readonly tableHeaderWords: number;
  readonly tableFrameWords: number;
  /** Numbers of ScanResult. */
  readonly scanResults: { readonly incomplete: number; readonly partsFull: number; readonly error: number };
  /** A scanner, or undefined for words that are no framing's. */
  open(framing: Uint32Array): StreamScanner | undefined;
  /** The most bytes that an unfinished frame can occupy. */
  maxFrameBytes(scanner: StreamScanner): number;
  /** Scans memory[start, end) into table and parts. */
  scan(
    scanner: StreamScanner,
    memory: Uint8Array,
    start: number,
    end: number,
    table: Uint32Array,
    parts: Uint32Array,
  ): void;
}

let addon: FramingAddon | undefined;

/** @internal The addon, loaded on first use. */
export function native(): FramingAddon {
  addon ??= loadAddon<FramingAddon>(path.join(__dirname, '..'));
  return addon;
}
