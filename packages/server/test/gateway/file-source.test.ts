import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileSource } from '../../dist/gateway/feed/file-source.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-source-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Reads some of what waits each turn of the event loop, the newest first. */
class SlowReader {
  readonly #waiting: number[] = [];
  readonly #turn = setInterval(() => this.#waiting.splice(-20), 1);
  bytes = 0;
  most = 0;
  pushed = 0;

  push(message: Uint8Array): boolean {
    this.#waiting.push(message.length);
    this.pushed++;
    this.most = Math.max(
      this.most,
      this.#waiting.reduce((sum, bytes) => sum + bytes, 0),
    );
    return true;
  }

  stats(): { depth: number; inFlight: number } {
    return { depth: this.#waiting.length, inFlight: this.#waiting.length };
  }

  close(): void {
    clearInterval(this.#turn);
  }
}

test('messages too large for the memory as many as there is room for wait until it is free', async () => {
  const path = join(folder, 'large');
  const line = `1723161255088169167 {"stream":"btcusdt@depth","data":"${'x'.repeat(5000)}"}\n`;
  writeFileSync(path, line.repeat(200));
  const input = new SlowReader();
  const maxBytes = 512 * 1024;
  const options = { path, speed: Infinity, capacity: 8192, maxMessageBytes: 65_536, onMalformed: () => undefined };
  await new FileSource(input, { ...options, maxBytes }).run(new AbortController().signal);
  input.close();
  expect(input.pushed).toBe(200);
  expect(input.most).toBeGreaterThan(line.length);
  expect(input.most).toBeLessThanOrEqual(maxBytes / 4);
});
