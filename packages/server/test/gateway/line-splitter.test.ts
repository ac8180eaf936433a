import { LineSplitter, type Line } from '../../dist/gateway/feed/line-splitter.js';
import { withSeed } from './seed';

const textOf = ({ bytes, start, end }: Line): string => bytes.toString('latin1', start, end);

function split(chunks: readonly Buffer[], maxLineBytes: number): { lines: string[]; overlong: number } {
  const splitter = new LineSplitter(maxLineBytes);
  const lines: string[] = [];
  for (const chunk of chunks) for (const line of splitter.split(chunk)) lines.push(textOf(line));
  const last = splitter.end();
  if (last !== undefined) lines.push(textOf(last));
  return { lines, overlong: splitter.takeOverlong() };
}

test.each([
  ['a\nb\n', ['a', 'b']],
  ['a\r\nb', ['a', 'b']],
  ['\n\na\n\r\n', ['a']],
  ['', []],
])('%j', (text, lines) => {
  expect(split([Buffer.from(text)], 100)).toEqual({ lines, overlong: 0 });
});

test('lines above the limit are skipped and counted, wherever the chunks end', async () => {
  await withSeed((random) => {
    for (let round = 0; round < 300; round++) {
      const lines = Array.from({ length: random.below(20) }, (_, i) => String(i % 10).repeat(1 + random.below(30)));
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length;) {
        const length = 1 + random.below(12);
        chunks.push(bytes.subarray(at, at + length));
        at += length;
      }
      const limit = 5 + random.below(30);
      const fitting = lines.filter((line) => line.length <= limit);
      expect(split(chunks, limit)).toEqual({ lines: fitting, overlong: lines.length - fitting.length });
    }
  });
});

test('a line without end is not kept beyond the limit', () => {
  const splitter = new LineSplitter(10);
  for (let i = 0; i < 1000; i++) expect([...splitter.split(Buffer.alloc(100, 'x'))]).toEqual([]);
  expect([...splitter.split(Buffer.from('y\nz\n'))].map(textOf)).toEqual(['z']);
  expect(splitter.takeOverlong()).toBe(1);
  expect(splitter.takeOverlong()).toBe(0);
});
