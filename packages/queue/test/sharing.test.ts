import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { MpmcQueue, SpscRing } from '@millrace/queue';
import { runMany, runProgram, seed } from './run-program';
import { codeOf } from './thrown';

type AnyQueue = SpscRing | MpmcQueue;

function start(queue: AnyQueue, role: string, data: object = {}): Worker {
  const workerData = { token: queue.share(), role, ...data };
  return new Worker(path.join(__dirname, 'programs/thread.js'), { workerData });
}

const message = async <T>(worker: Worker): Promise<T> => ((await once(worker, 'message')) as [T])[0];

/** Each producer's numbers, whoever got them, in the order in which each consumer did. */
function check(seen: [producer: number, number: number][][], producers: number, count: number): void {
  const all = Array.from({ length: producers }, () => new Set<number>());
  for (const one of seen) {
    const last = new Map<number, number>();
    for (const [producer, number] of one) {
      expect(number).toBeGreaterThan(last.get(producer) ?? -1);
      last.set(producer, number);
      all[producer]!.add(number);
    }
  }
  expect(all.map((numbers) => numbers.size)).toEqual(all.map(() => count));
  expect(seen.flat()).toHaveLength(producers * count);
}

const rings = (): SpscRing => new SpscRing({ capacity: 512 });
const queues = (): MpmcQueue => new MpmcQueue({ capacity: 16, messageBytes: 8 });

describe('between threads', () => {
  test.each<[string, () => AnyQueue, string, number, number]>([
    ['ring, event loops', rings, 'consume', 1, 1],
    ['ring, blocking', rings, 'consumeSync', 1, 1],
    ['queue, event loops', queues, 'consume', 2, 2],
    ['queue, blocking', queues, 'consumeSync', 2, 2],
  ])('%s: each message arrives once, in order', async (_, make, role, producers, consumers) => {
    using queue = make();
    const readers = Array.from({ length: consumers }, () => start(queue, role));
    const results = readers.map((reader) => message<[number, number][]>(reader));
    const writers = Array.from({ length: producers }, (_, producer) =>
      start(queue, 'produce', { producer, count: 3000 }),
    );
    await Promise.all(writers.map((writer) => message(writer)));
    queue.close();
    check(await Promise.all(results), producers, 3000);
    expect(queue.stats()).toMatchObject({
      pushed: producers * 3000,
      popped: producers * 3000,
      depth: 0,
      rejected: expect.any(Number),
    });
    await Promise.all([...readers, ...writers].map((worker) => worker.terminate()));
  });

  test('a side of a ring is one thread’s, and another’s when that one ends', async () => {
    using ring = new SpscRing({ capacity: 512 });
    const worker = start(ring, 'pending');
    await message(worker);
    ring.tryPush(Buffer.from('a'));
    await message(worker);
    expect(codeOf(() => ring.tryPop())).toBe('ERR_QUEUE_SIDE_TAKEN');
    await expect(ring.pop()).rejects.toMatchObject({ code: 'ERR_QUEUE_SIDE_TAKEN' });
    await worker.terminate();
    expect(ring.tryPop()).toBeUndefined();
  });
});

describe('HAZARDS 4: a thread that blocks', () => {
  test.each(['wait', 'waitBusy'])('is ended by terminate(): %s', async (role) => {
    using queue = queues();
    const worker = start(queue, role);
    await message(worker);
    await worker.terminate();
    expect(queue.tryPush(Buffer.of(1))).toBe(true);
    expect(queue.tryPop()).toHaveLength(1);
  });

  test('is ended by terminate() after it has worked, with an event loop that was never run', async () => {
    using queue = queues();
    const worker = start(queue, 'answer');
    await message(worker);
    for (let i = 0; i < 50; i++) {
      queue.tryPush(Buffer.of(1));
      await message(worker);
    }
    await worker.terminate();
    expect(queue.size).toBe(0);
  });

  test('uses next to no processor time', async () => {
    using queue = queues();
    const workers = Array.from({ length: 8 }, () => start(queue, 'waitNamed'));
    const tasks = await Promise.all(workers.map((worker) => message<string>(worker)));
    // Nanoseconds on a processor, of each thread.
    const used = (): number[] =>
      tasks.map((task) => Number(readFileSync(`/proc/${task}/schedstat`, 'utf8').split(' ')[0]));
    // Until they all sleep. Their loops have had no turn, so they look at them twenty times a second: some microseconds.
    for (let before = used(), quiet = false; !quiet;) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const now = used();
      quiet = now.every((ns, i) => ns - before[i]! < 2e6);
      before = now;
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test('what it was woken for goes to another when it is ended', async () => {
    using queue = queues();
    for (let round = 0; round < 8; round++) {
      const workers = [start(queue, 'pending'), start(queue, 'wait')];
      await Promise.all(workers.map((worker) => message(worker)));
      const pop = queue.pop();
      queue.pushMany(Array.from({ length: 12 }, () => Buffer.of(1)));
      await Promise.all(workers.map((worker) => worker.terminate()));
      // One for each pop of the others, and this one is served in any case.
      expect(await pop).toHaveLength(1);
      while (queue.tryPop() !== undefined);
    }
  }, 60_000);
});

describe('HAZARDS 7: tokens', () => {
  test.each<[string, () => AnyQueue]>([
    ['ring', rings],
    ['queue', queues],
  ])('of a %s', (_, make) => {
    const queue = make();
    const attach = (token: object): AnyQueue =>
      (queue instanceof SpscRing ? SpscRing : MpmcQueue).attach(token as never);
    const token = queue.share();
    using other = attach(structuredClone(token));
    queue.tryPush(Buffer.from('a'));
    expect(String(other.tryPop())).toBe('a');
    expect(other.capacity).toBe(queue.capacity);
    queue.detach();
    expect(attach(token).size).toBe(0);
    expect(codeOf(() => attach({ ...token, kind: 'slab' }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(codeOf(() => attach({ ...token, nonce: 1 }))).toBe('ERR_SHARED_GONE');
    expect(codeOf(() => attach({ ...token, pid: 1 }))).toBe('ERR_SHARED_GONE');
    expect(codeOf(() => attach({ ...token, copy: 1 }))).toBe('ERR_LAYOUT_MISMATCH');
    expect(codeOf(() => attach(undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('of a queue that nobody holds any more', () => {
    const queue = queues();
    const token = queue.share();
    const other = MpmcQueue.attach(token);
    queue.detach();
    other.detach();
    expect(codeOf(() => MpmcQueue.attach(token))).toBe('ERR_SHARED_GONE');
  });
});

describe('HAZARDS 3, 5, 27: ends under load', () => {
  test('threads that are terminated leave the queue to the others', async () => {
    const kinds = ['reject', 'drop-newest', 'drop-oldest', 'spsc-ring'];
    const results = await runMany(kinds.length, (i) => runProgram('terminate-threads.js', kinds[i]!, seed + i, 5));
    expect(results.reduce((sum, { caught }) => sum + caught!, 0)).toBeGreaterThanOrEqual(10);
  }, 120_000);

  test('the process exits', async () => {
    const exit = (i: number): Promise<unknown> =>
      runProgram('exit-while-busy.js', seed + i).catch((error: unknown) => error);
    const ends = await runMany(8, exit);
    for (const end of ends) expect(String(end)).toMatch(/exited with 7/);
  }, 120_000);
});
