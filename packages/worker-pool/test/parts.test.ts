import { ByteRing } from '../dist/byte-ring.js';
import { LatencyHistogram } from '../dist/latency-histogram.js';
import { TaskQueue } from '../dist/task-queue.js';
import { seed } from './run-program';

/** Random integers below a limit that a seed repeats (mulberry32). */
function randomOf(from: number): (below: number) => number {
  let state = from >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

test('the queue does as a sorted list does, whatever is settled meanwhile', () => {
  const random = randomOf(seed);
  const queue = new TaskQueue();
  type QueueTask = Parameters<TaskQueue['push']>[0];
  interface Entry {
    priority: number;
    settled: boolean;
    id: number;
  }
  let model: Entry[] = [];
  const highest = (): Entry | undefined => {
    const top = Math.max(...model.map(({ priority }) => priority));
    return model.find(({ priority }) => priority === top);
  };
  const without = (entry: Entry | undefined): Entry[] => model.filter((one) => one !== entry);
  for (let id = 0; id < 5000; id++) {
    const entry: Entry = { priority: random(4), settled: false, id };
    switch (random(model.length > 300 ? 10 : 7)) {
      case 0:
        queue.unshift(entry as unknown as QueueTask);
        model.unshift(entry);
        break;
      case 1: {
        const one = model[random(model.length + 1)];
        if (one === undefined) break;
        one.settled = true;
        model = without(one);
        queue.settledOne();
        break;
      }
      case 2: {
        const lowest = Math.min(...model.map(({ priority }) => priority));
        const expected = model.find(({ priority }) => priority === lowest);
        expect([seed, queue.dropOldest()]).toEqual([seed, expected]);
        model = without(expected);
        break;
      }
      case 3:
      case 7:
      case 8: {
        const expected = highest();
        expect([seed, queue.peek()]).toEqual([seed, expected]);
        expect([seed, queue.shift()]).toEqual([seed, expected]);
        model = without(expected);
        break;
      }
      default:
        queue.push(entry as unknown as QueueTask);
        model.push(entry);
    }
    expect([seed, queue.length]).toEqual([seed, model.length]);
  }
});

test('what is written into a ring is read from it, or refused for lack of room', () => {
  const random = randomOf(seed);
  const words = new Int32Array(1);
  const bytes = Buffer.alloc(1024);
  const [writer, reader] = [new ByteRing(bytes, words, 0), new ByteRing(bytes, words, 0)];
  const texts = ['', 'a', 'Grüße', '🦀'.repeat(9), 'x'.repeat(200), '\ud800'];
  const waiting: { kind: number; offset: number; length: number; value: string | Uint8Array }[] = [];
  let refused = 0;
  for (let i = 0; i < 5000; i++) {
    if (random(2) === 0) {
      const value = random(2) === 0 ? texts[random(texts.length)]! : new Uint8Array(random(300)).fill(i);
      const kind = writer.write(value);
      if (Number(kind) === 8) refused++;
      else waiting.push({ kind, offset: writer.offset, length: writer.length, value });
    } else {
      const next = waiting.shift();
      if (next === undefined) continue;
      const { kind, offset, length, value } = next;
      if (random(4) === 0) reader.skip(offset, length);
      else expect([seed, reader.read(kind, offset, length)]).toEqual([seed, value]);
    }
  }
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(2000);
});

test('percentiles are at most 6.25 % above the truth, and never below', () => {
  const random = randomOf(seed);
  const histogram = new LatencyHistogram();
  expect(histogram.summary()).toEqual({ p50: 0, p99: 0, max: 0 });
  const samples = Array.from({ length: 10_000 }, () => (1 + random(1000)) * 10 ** random(4) * 0.001);
  for (const sample of samples) histogram.add(sample);
  samples.sort((a, b) => a - b);
  const { p50, p99, max } = histogram.summary();
  for (const [estimate, truth] of [
    [p50, samples[4999]!],
    [p99, samples[9899]!],
  ] as const) {
    expect(estimate).toBeGreaterThanOrEqual(truth);
    // A microsecond is the finest there is.
    expect(estimate).toBeLessThanOrEqual(truth * 1.0625 + 0.001);
  }
  expect(max).toBe(samples[9999]);
});
