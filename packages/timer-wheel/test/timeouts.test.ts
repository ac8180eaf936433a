import { AsyncLocalStorage } from 'node:async_hooks';
import { execFileSync } from 'node:child_process';
import { TimerWheel, type WheelTimeout } from '@millrace/timer-wheel';

const run = (program: string): string =>
  execFileSync(process.execPath, ['-e', `const { TimerWheel } = require('@millrace/timer-wheel');${program}`], {
    cwd: __dirname,
    encoding: 'utf8',
    timeout: 20_000,
  });

test('calls with its arguments, as a method of the timeout', async () => {
  using wheel = new TimerWheel();
  const seen = await new Promise<unknown[]>((resolve) => {
    const timeout: WheelTimeout = wheel.setTimeout(
      function (this: unknown, ...args: unknown[]) {
        resolve([this === timeout, ...args]);
      },
      1,
      'a',
      2,
    );
  });
  expect(seen).toEqual([true, 'a', 2]);
  expect(wheel.size).toBe(0);
});

test('delays are read as setTimeout reads them, without its ceiling', () => {
  using wheel = new TimerWheel({ clock: 'manual' });
  const called: unknown[] = [];
  for (const delay of [NaN, -5, 0, 1.9, '3', 2 ** 31 + 5, undefined]) {
    wheel.setTimeout(() => called.push(delay), delay as number);
  }
  wheel.setTimeout(() => called.push('never'), Infinity);
  expect(wheel.advance(1)).toBe(5);
  wheel.advance(3);
  expect(called).toEqual([NaN, -5, 0, 1.9, undefined, '3']);
  wheel.advance(2 ** 31 + 4);
  expect(called).toHaveLength(6);
  expect(wheel.nextExpiryMs()).toBe(2 ** 31 + 5);
  wheel.advance(2 ** 31 + 5);
  expect(called).toHaveLength(7);
  expect(wheel.size).toBe(1);
});

test('close, clearTimeout and using stop it', () => {
  using wheel = new TimerWheel({ clock: 'manual' });
  const called = jest.fn();
  const one = wheel.setTimeout(called, 5);
  const two = wheel.setTimeout(called, 5);
  {
    using three = wheel.setTimeout(called, 5);
    expect(three.hasRef()).toBe(true);
  }
  expect(one.close()).toBe(one);
  one.close().refresh();
  wheel.clearTimeout(two);
  wheel.clearTimeout(undefined);
  expect(wheel.size).toBe(0);
  expect(wheel.advance(100)).toBe(0);
  expect(called).not.toHaveBeenCalled();
});

test('refresh starts the delay anew, also after the call', () => {
  using wheel = new TimerWheel({ clock: 'manual' });
  const called = jest.fn();
  const timeout = wheel.setTimeout(called, 10);
  wheel.advance(9);
  expect(timeout.refresh()).toBe(timeout);
  wheel.advance(18);
  expect(called).not.toHaveBeenCalled();
  wheel.advance(19);
  expect(called).toHaveBeenCalledTimes(1);
  timeout.refresh();
  wheel.advance(29);
  expect(called).toHaveBeenCalledTimes(2);
});

test('a callback may close, refresh and replace others that are due with it', () => {
  using wheel = new TimerWheel({ clock: 'manual' });
  const called: string[] = [];
  const late = (): unknown => wheel.setTimeout(() => called.push('new'), 5);
  wheel.setTimeout(() => {
    called.push('first');
    closed.close();
    refreshed.refresh();
    late();
  }, 10);
  const closed = wheel.setTimeout(() => called.push('closed'), 10);
  const refreshed = wheel.setTimeout(() => called.push('refreshed'), 10);
  wheel.advance(10);
  expect(called).toEqual(['first']);
  wheel.advance(20);
  expect(called).toEqual(['first', 'new', 'refreshed']);
});

test('a callback that closes the wheel is the last to be called', () => {
  const wheel = new TimerWheel({ clock: 'manual' });
  const called: string[] = [];
  wheel.setTimeout(() => {
    called.push('first');
    wheel.close();
  }, 5);
  wheel.setTimeout(() => called.push('second'), 5);
  wheel.advance(5);
  expect(called).toEqual(['first']);
  const output = run(`
    const wheel = new TimerWheel();
    for (const id of [1, 2]) wheel.setTimeout(() => { console.log(id); wheel.close(); }, 5);
    const end = performance.now() + 10;
    while (performance.now() < end);`);
  expect(output).toBe('1\n');
});

test('async hooks are told of the end of a timeout that nobody can reach any more', () => {
  const output = run(`
    const { createHook } = require('node:async_hooks');
    require('node:v8').setFlagsFromString('--expose-gc');
    const collect = require('node:vm').runInNewContext('gc');
    let made, ended = false;
    const init = (id, type) => { if (type === 'WheelTimeout') made = id; };
    createHook({ init, destroy: (id) => (ended ||= id === made) }).enable();
    const wheel = new TimerWheel({ clock: 'manual' });
    wheel.setTimeout(() => undefined, 1);
    wheel.advance(1);
    const look = () => { collect(); ended ? console.log('ended') : setImmediate(look); };
    look();`);
  expect(output).toBe('ended\n');
});

test('runs in the async context in which it was made', async () => {
  using wheel = new TimerWheel();
  const storage = new AsyncLocalStorage<number>();
  const seen = await Promise.all(
    [1, 2].map((value) =>
      storage.run(value, () => new Promise((resolve) => wheel.setTimeout(() => resolve(storage.getStore()), 1))),
    ),
  );
  expect(seen).toEqual([1, 2]);
});

test('with a manual clock the first error is thrown when all have been called', () => {
  using wheel = new TimerWheel({ clock: 'manual' });
  const called: number[] = [];
  for (const id of [1, 2, 3]) {
    wheel.setTimeout(() => {
      called.push(id);
      throw new Error(`of ${id}`);
    }, 5);
  }
  expect(() => wheel.advance(5)).toThrow('of 1');
  expect(called).toEqual([1, 2, 3]);
});

test('what callbacks throw is an uncaught exception each, and the others are called', () => {
  const output = run(`
    const wheel = new TimerWheel();
    process.on('uncaughtException', (error) => console.log(error.message));
    for (const id of [1, 2, 3]) wheel.setTimeout(() => { console.log(id); if (id < 3) throw new Error('of ' + id); }, 5);`);
  expect(output).toBe('1\nof 1\n2\nof 2\n3\n');
});

test.each<[string, string]>([
  ['a live timer', 'wheel.schedule(20, 1)'],
  ['a live timeout', "wheel.setTimeout(() => console.log('expired'), 20)"],
  ['an unref()ed timeout that was ref()ed', "wheel.setTimeout(() => console.log('expired'), 20).unref().ref()"],
  ['an unref()ed wheel that was ref()ed', 'wheel.unref(); wheel.schedule(20, 1); wheel.ref()'],
])('%s keeps the process alive', (_, start) => {
  expect(run(`const wheel = new TimerWheel(); wheel.onExpire = () => console.log('expired'); ${start};`)).toBe(
    'expired\n',
  );
});

test.each<[string, string]>([
  ['an empty wheel', ''],
  ['a cancelled timer', 'wheel.cancel(wheel.schedule(1e9, 1))'],
  ['a closed timeout', 'wheel.setTimeout(() => undefined, 1e9).close()'],
  ['an unref()ed timeout', 'wheel.setTimeout(() => undefined, 1e9).unref()'],
  ['a timer of an unref()ed wheel', 'wheel.unref().schedule(1e9, 1)'],
  ['a timeout of an unref()ed wheel', 'wheel.unref(); wheel.setTimeout(() => undefined, 1e9)'],
  ['a closed wheel', 'wheel.schedule(1e9, 1); wheel.setTimeout(() => undefined, 1e9); wheel.close()'],
  ['an expired timer', "wheel.onExpire = () => console.log('expired'); wheel.schedule(1, 1)"],
])('%s does not keep the process alive', (name, start) => {
  expect(run(`const wheel = new TimerWheel(); ${start};`)).toBe(name === 'an expired timer' ? 'expired\n' : '');
});
