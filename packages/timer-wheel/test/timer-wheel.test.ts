import { execFileSync } from 'node:child_process';
import { TimerWheel, type TimerHandle } from '@millrace/timer-wheel';

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;

function manual(options: { tickMs?: number; capacity?: number } = {}): { wheel: TimerWheel; expired: number[] } {
  const wheel = new TimerWheel({ ...options, clock: 'manual' });
  const expired: number[] = [];
  wheel.onExpire = (ids) => expired.push(...ids);
  return { wheel, expired };
}

/** The ids of the next batches, until there are so many. */
function expiredIds(wheel: TimerWheel, count: number): Promise<number[]> {
  return new Promise((resolve) => {
    const ids: number[] = [];
    wheel.onExpire = (batch) => {
      ids.push(...batch);
      if (ids.length >= count) resolve(ids);
    };
  });
}

test('with a manual clock timers expire when it is advanced, in one batch', () => {
  const { wheel, expired } = manual();
  const batches = jest.fn();
  wheel.onExpire = (ids) => {
    batches();
    expired.push(...ids);
  };
  for (const [delay, id] of [
    [50, 1],
    [20, 2],
    [100, 3],
    [0, 4],
  ] as const)
    wheel.schedule(delay, id);
  expect([wheel.size, wheel.nextExpiryMs(), wheel.nowMs]).toEqual([4, 1, 0]);
  expect(wheel.advance(0)).toBe(0);
  expect(wheel.advance(60)).toBe(3);
  expect(expired).toEqual([4, 2, 1]);
  expect([wheel.size, wheel.nextExpiryMs(), wheel.nowMs]).toEqual([1, 100, 60]);
  expect(wheel.advance(30)).toBe(0);
  expect(wheel.nowMs).toBe(60);
  wheel.schedule(10, 5);
  expect(wheel.nextExpiryMs()).toBe(70);
  expect(wheel.advance(1000)).toBe(2);
  expect(expired).toEqual([4, 2, 1, 5, 3]);
  expect(batches).toHaveBeenCalledTimes(2);
  expect([wheel.size, wheel.nextExpiryMs()]).toEqual([0, undefined]);
  wheel.close();
});

test('a timer expires at a multiple of the tick, never before its time', () => {
  const { wheel, expired } = manual({ tickMs: 10 });
  wheel.advance(7);
  wheel.schedule(50, 1);
  expect(wheel.nextExpiryMs()).toBe(60);
  wheel.advance(59);
  expect(expired).toEqual([]);
  wheel.advance(60);
  expect(expired).toEqual([1]);
  wheel.close();
});

test('no delay is too long', () => {
  const { wheel, expired } = manual();
  wheel.schedule(2 ** 53 - 1, 1);
  wheel.schedule(2 ** 40, 2);
  expect(wheel.nextExpiryMs()).toBe(2 ** 40);
  wheel.advance(2 ** 40 - 1);
  expect(expired).toEqual([]);
  wheel.advance(2 ** 53 - 1);
  expect(expired).toEqual([2, 1]);
  wheel.close();
});

test('a cancelled timer does not expire, and its handle names nothing any more', () => {
  const { wheel, expired } = manual();
  const [one, two] = [wheel.schedule(10, 1), wheel.schedule(10, 2)];
  expect(Number.isSafeInteger(one) && one > 0).toBe(true);
  expect(wheel.cancel(one)).toBe(true);
  expect(wheel.cancel(one)).toBe(false);
  const three = wheel.schedule(10, 3);
  expect(wheel.cancel(one)).toBe(false);
  wheel.advance(10);
  expect(expired.sort()).toEqual([2, 3]);
  expect([wheel.cancel(two), wheel.cancel(three), wheel.reschedule(two, 5)]).toEqual([false, false, false]);
  for (const wrong of [0, -1, 0.5, NaN, Infinity, 2 ** 60, 12345])
    expect(wheel.cancel(wrong as TimerHandle)).toBe(false);
  wheel.close();
});

test.each([
  ['small', 1000],
  ['large', 2 ** 24],
])('on a %s wheel, as many as you like are cancelled one after the other', (_, capacity) => {
  const { wheel, expired } = manual({ capacity });
  const handles = Array.from({ length: 1000 }, (__, id) => wheel.schedule(10, id));
  // The last stays.
  const cancelled = handles.slice(0, -1);
  expect(cancelled.every((handle) => wheel.cancel(handle))).toBe(true);
  expect(wheel.size).toBe(1);
  // Numbers of other generations and beyond 2^53 that have a place's low bits.
  for (const wrong of [1, 2, 2 ** 21, 2 ** 32].map((generations) => handles.at(-1)! + generations * 2 ** 32))
    expect(wheel.cancel(wrong as TimerHandle)).toBe(false);
  expect(cancelled.some((handle) => wheel.cancel(handle))).toBe(false);
  const again = wheel.schedule(20, 1000);
  expect(cancelled.some((handle) => wheel.reschedule(handle, 5))).toBe(false);
  expect(wheel.cancel(again)).toBe(true);
  wheel.advance(20);
  expect([expired, wheel.size, wheel.nextExpiryMs()]).toEqual([[999], 0, undefined]);
  wheel.close();
});

test('a timer can be put off and brought forward', () => {
  const { wheel, expired } = manual();
  const [one, two] = [wheel.schedule(10, 1), wheel.schedule(1000, 2)];
  wheel.advance(5);
  expect(wheel.reschedule(one, 100)).toBe(true);
  expect(wheel.reschedule(two, 20)).toBe(true);
  expect(wheel.nextExpiryMs()).toBe(25);
  wheel.advance(104);
  expect(expired).toEqual([2]);
  wheel.advance(105);
  expect(expired).toEqual([2, 1]);
  wheel.close();
});

test('many are scheduled and cancelled by one call', () => {
  const { wheel, expired } = manual({ capacity: 4 });
  const handles = new Float64Array(6).fill(-1);
  const delays = Uint32Array.of(10, 20, 30, 2 ** 32 - 1, 50);
  expect(wheel.scheduleMany(delays, Uint32Array.of(1, 2, 3, 4, 5, 6), handles)).toBe(4);
  expect([...handles.subarray(4)]).toEqual([0, -1]);
  expect(wheel.size).toBe(4);
  expect(() => wheel.schedule(1, 1)).toThrow(code('ERR_TIMER_FULL'));
  expect(() => wheel.setTimeout(() => undefined, 1)).not.toThrow();
  expect(wheel.cancelMany(handles.subarray(1, 3))).toBe(2);
  expect(wheel.cancelMany(handles)).toBe(2);
  wheel.advance(100);
  expect(expired).toEqual([]);
  wheel.close();
});

test('callbacks may schedule and cancel, and are told once', () => {
  const { wheel } = manual();
  const seen: number[] = [];
  const later = wheel.schedule(20, 2);
  wheel.onExpire = (ids) => {
    seen.push(...ids);
    if (ids[0] === 1) {
      wheel.cancel(later);
      wheel.schedule(5, 3);
      expect(wheel.advance(30)).toBe(1);
    }
  };
  wheel.schedule(10, 1);
  expect(wheel.advance(10)).toBe(1);
  expect(seen).toEqual([1, 3]);
  wheel.close();
});

test('what onExpire throws is thrown by advance', () => {
  const { wheel } = manual();
  wheel.onExpire = () => {
    throw new Error('fails');
  };
  wheel.schedule(1, 1);
  expect(() => wheel.advance(1)).toThrow('fails');
  expect(wheel.size).toBe(0);
  wheel.onExpire = null;
  wheel.schedule(1, 1);
  expect(wheel.advance(5)).toBe(1);
  wheel.close();
});

test('with the clock that runs, nothing expires early, and the order is that of the times', async () => {
  using wheel = new TimerWheel();
  const delays = Array.from({ length: 300 }, (_, i) => (i * 7) % 40);
  const due: number[] = [];
  const early: number[] = [];
  const order: number[] = [];
  const done = new Promise<void>((resolve) => {
    wheel.onExpire = (ids) => {
      const now = performance.now();
      for (const id of ids) {
        if (now < due[id]!) early.push(id);
        order.push(delays[id]!);
      }
      if (order.length === delays.length) resolve();
    };
  });
  delays.forEach((delay, id) => {
    due[id] = performance.now() + delay;
    wheel.schedule(delay, id);
  });
  await done;
  expect(early).toEqual([]);
  expect(order.at(-1)).toBe(39);
  expect(wheel.size).toBe(0);
});

test('a timer that is brought forward wakes the loop at its new time', async () => {
  using wheel = new TimerWheel();
  const one = expiredIds(wheel, 1);
  const handle = wheel.schedule(1e9, 1);
  wheel.reschedule(handle, 1);
  expect(await one).toEqual([1]);
});

test('what onExpire throws is an uncaught exception, and later batches come', () => {
  // jest's process is not the one that emits.
  const program = `
    const { TimerWheel } = require('@millrace/timer-wheel');
    const wheel = new TimerWheel();
    process.on('uncaughtException', (error) => console.log(error.message));
    wheel.onExpire = (ids) => { throw new Error('of ' + ids[0]); };
    wheel.schedule(1, 1);
    wheel.schedule(30, 2);`;
  const output = execFileSync(process.execPath, ['-e', program], { cwd: __dirname, encoding: 'utf8' });
  expect(output).toBe('of 1\nof 2\n');
});

test.each<[string, unknown, string]>([
  ['options of a wrong type', 5, 'ERR_INVALID_ARG_TYPE'],
  ['a tick of nothing', { tickMs: 0 }, 'ERR_OUT_OF_RANGE'],
  ['no room', { capacity: 0 }, 'ERR_OUT_OF_RANGE'],
  ['too much room', { capacity: 2 ** 32 }, 'ERR_OUT_OF_RANGE'],
  ['another clock', { clock: 'wall' }, 'ERR_INVALID_ARG_VALUE'],
])('refuses %s', (_, options, expected) => {
  expect(() => new TimerWheel(options as never)).toThrow(code(expected));
});

test('refuses arguments it cannot take', () => {
  const { wheel } = manual();
  const two = new Uint32Array(2);
  for (const wrong of [-1, 0.5, NaN, Infinity]) {
    expect(() => wheel.schedule(wrong, 1)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => wheel.schedule(1, wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => wheel.advance(wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => wheel.reschedule(1 as TimerHandle, wrong)).toThrow(code('ERR_OUT_OF_RANGE'));
  }
  expect(() => wheel.schedule(1, 2 ** 32)).toThrow(code('ERR_OUT_OF_RANGE'));
  for (const wrong of ['1', 1n, Symbol('1'), undefined]) {
    expect(() => wheel.schedule(wrong as never, 1)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => wheel.schedule(1, wrong as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  }
  expect(() => wheel.cancel('1' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => wheel.scheduleMany([1] as never, two, new Float64Array(2))).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => wheel.scheduleMany(two, two, two as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => wheel.scheduleMany(two, new Uint32Array(1), new Float64Array(2))).toThrow(code('ERR_OUT_OF_RANGE'));
  expect(() => wheel.scheduleMany(two, two, new Float64Array(1))).toThrow(code('ERR_OUT_OF_RANGE'));
  expect(() => wheel.cancelMany([] as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => (wheel.onExpire = 5 as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  expect(() => wheel.setTimeout(5 as never, 1)).toThrow(code('ERR_INVALID_ARG_TYPE'));
  using running = new TimerWheel();
  expect(() => running.advance(5)).toThrow(code('ERR_INVALID_STATE'));
  wheel.close();
});

test('after close() everything throws', () => {
  for (const clock of ['auto', 'manual'] as const) {
    const wheel = new TimerWheel({ clock });
    const handle = wheel.schedule(1, 1);
    const timeout = wheel.setTimeout(() => undefined, 1);
    wheel.close();
    wheel.close();
    const uses: (() => unknown)[] = [
      () => wheel.schedule(1, 1),
      () => wheel.cancel(handle),
      () => wheel.reschedule(handle, 1),
      () => wheel.scheduleMany(new Uint32Array(1), new Uint32Array(1), new Float64Array(1)),
      () => wheel.cancelMany(new Float64Array(1)),
      () => wheel.advance(1),
      () => wheel.size,
      () => wheel.nextExpiryMs(),
      () => wheel.nowMs,
      () => wheel.setTimeout(() => undefined, 1),
      () => wheel.ref(),
      () => wheel.unref(),
      () => wheel.share(),
      () => (wheel.onExpire = null),
    ];
    for (const use of uses) expect(use).toThrow(code('ERR_TIMER_CLOSED'));
    expect(timeout.close().refresh().hasRef()).toBe(true);
    wheel.clearTimeout(timeout);
  }
});
