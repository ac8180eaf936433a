import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { TimerWheel, type SharedToken } from '@millrace/timer-wheel';

const FILE = path.join(__dirname, 'sharing-worker.js');
const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

function start(task: string, token?: SharedToken, more: object = {}): Worker {
  return new Worker(FILE, { workerData: { token, task, ...more } });
}

async function answerOf<T>(worker: Worker): Promise<T> {
  const [message] = (await once(worker, 'message')) as [T];
  return message;
}

test('timers that a worker schedules expire on the thread of the wheel, though it had none', async () => {
  using wheel = new TimerWheel();
  const expired = new Promise<number[]>((resolve) => {
    const ids: number[] = [];
    wheel.onExpire = (batch) => {
      ids.push(...batch);
      if (ids.length === 3) resolve(ids);
    };
  });
  const worker = start('schedule', wheel.share(), { ids: [5, 6, 7], delayMs: 3 });
  expect(await expired).toEqual([5, 6, 7]);
  await worker.terminate();
  expect(wheel.size).toBe(0);
});

test('a worker cancels what this thread scheduled, and the other way round', async () => {
  using wheel = new TimerWheel();
  const mine = [wheel.schedule(1e9, 1), wheel.schedule(1e9, 2)];
  const canceller = start('cancel', wheel.share(), { handles: mine });
  expect(await answerOf(canceller)).toBe(2);
  expect([wheel.size, wheel.cancel(mine[0]!)]).toEqual([0, false]);
  const scheduler = start('schedule', wheel.share(), { ids: [1, 2, 3], delayMs: 1e9 });
  const theirs = await answerOf<number[]>(scheduler);
  await Promise.all([canceller.terminate(), scheduler.terminate()]);
  expect(wheel.size).toBe(3);
  expect(wheel.cancelMany(Float64Array.from(theirs))).toBe(3);
});

test('setTimeout of an attached wheel calls on its own thread', async () => {
  using wheel = new TimerWheel();
  const worker = start('timeout', wheel.share());
  expect(await answerOf(worker)).toBe('called here');
  await worker.terminate();
});

test('an attached handle follows the wheel it is attached to', () => {
  const wheel = new TimerWheel({ clock: 'manual' });
  const expired = jest.fn();
  wheel.onExpire = expired;
  const other = TimerWheel.attach(structuredClone(wheel.share()));
  other.schedule(10, 1);
  expect([other.size, other.nextExpiryMs(), wheel.size]).toEqual([1, 10, 1]);
  wheel.advance(5);
  expect(other.nowMs).toBe(5);
  expect(() => other.advance(10)).toThrow(code('ERR_INVALID_STATE'));
  expect(() => (other.onExpire = expired)).toThrow(code('ERR_INVALID_STATE'));
  expect(() => other.setTimeout(expired, 1)).toThrow(code('ERR_INVALID_STATE'));
  const third = TimerWheel.attach(other.share());
  other.close();
  expect(() => other.schedule(1, 1)).toThrow(code('ERR_TIMER_CLOSED'));
  expect(wheel.advance(10)).toBe(1);
  const handle = third.schedule(1, 1);
  wheel.close();
  expect(() => third.schedule(1, 1)).toThrow(code('ERR_TIMER_CLOSED'));
  expect([third.cancel(handle), third.size, third.nextExpiryMs()]).toEqual([false, 0, undefined]);
  third.close();
});

test('a token is of use until the wheel is closed where it was made', async () => {
  const wheel = new TimerWheel();
  const token = wheel.share();
  const other = TimerWheel.attach(token);
  wheel.close();
  expect(() => TimerWheel.attach(token)).toThrow(code('ERR_SHARED_GONE'));
  other.close();
  const worker = start('own');
  const theirs = await answerOf<SharedToken<'timer-wheel'>>(worker);
  const attached = TimerWheel.attach(theirs);
  expect(attached.size).toBe(1);
  await worker.terminate();
  expect(() => attached.schedule(1, 1)).toThrow(code('ERR_TIMER_CLOSED'));
  expect(() => TimerWheel.attach(theirs)).toThrow(code('ERR_SHARED_GONE'));
  attached.close();
});

describe('HAZARDS 7: tokens', () => {
  const wheel = new TimerWheel();
  const token = wheel.share();
  afterAll(() => wheel.close());

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'ERR_INVALID_ARG_TYPE'],
    ['none of ours', { kind: 'queue', id: 1 }, 'ERR_INVALID_ARG_VALUE'],
    ['an unknown id', { ...token, id: 4_000_000 }, 'ERR_SHARED_GONE'],
    ['another wheel’s nonce', { ...token, nonce: 1 }, 'ERR_SHARED_GONE'],
    ['another process', { ...token, pid: 1 }, 'ERR_SHARED_GONE'],
    ['another copy', { ...token, copy: 0 }, 'ERR_LAYOUT_MISMATCH'],
  ])('%s is refused', (_, given, expected) => {
    expect(() => TimerWheel.attach(given as never)).toThrow(code(expected));
  });
});

test('HAZARDS 3 and 5: workers that are terminated while timers expire leave nothing behind', async () => {
  using wheel = new TimerWheel();
  let remote = 0;
  wheel.onExpire = (ids) => (remote += ids.length);
  const token = wheel.share();
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  let before = 0;
  for (let round = 0; round < 10; round++) {
    const workers = [start('churn', token), start('churn', token)];
    await Promise.all(workers.map((worker) => answerOf(worker)));
    await Promise.all(workers.map((worker) => worker.terminate()));
    if (round === 3) before = descriptors();
  }
  expect(descriptors()).toBeLessThanOrEqual(before);
  expect(remote).toBeGreaterThan(100);
  const last = new Promise<Uint32Array>((resolve) => (wheel.onExpire = resolve));
  wheel.schedule(20, 77);
  expect([...(await last)]).toContain(77);
});

test('the process may exit while workers and timers are busy', () => {
  const program = `
    const { Worker } = require('node:worker_threads');
    const { TimerWheel } = require('@millrace/timer-wheel');
    const wheel = new TimerWheel();
    const workerData = { token: wheel.share(), task: 'churn' };
    let busy = 0;
    for (let i = 0; i < 2; i++) {
      new Worker(${JSON.stringify(FILE)}, { workerData }).once('message', () => { if (++busy === 2) process.exit(7); });
    }`;
  const run = (): void => {
    execFileSync(process.execPath, ['-e', program], { cwd: __dirname, stdio: 'pipe' });
  };
  for (let i = 0; i < 3; i++) expect(run).toThrow(expect.objectContaining({ status: 7, signal: null }));
});
