import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { MpmcQueue, SpscRing } from '@millrace/queue';
import { codeOf, rejectionOf } from './thrown';

const of = (text: string): Buffer => Buffer.from(text);

describe.each([
  ['SpscRing', () => new SpscRing({ capacity: 64 })],
  ['MpmcQueue', () => new MpmcQueue({ capacity: 2, messageBytes: 24 })],
])('%s', (_, make) => {
  const fill = (queue: SpscRing | MpmcQueue): void => {
    while (queue.tryPush(Buffer.alloc(24)));
  };

  test('pops are served in the order in which they were asked for', async () => {
    using queue = make();
    const served: string[] = [];
    const pops = ['first', 'second'].map((name) => queue.pop().then((m) => served.push(`${name} ${String(m)}`)));
    queue.pushMany([of('a'), of('b')]);
    await Promise.all(pops);
    expect(served).toEqual(['first a', 'second b']);
  });

  test('pushes go in in their order, when there is room, and are copies', async () => {
    using queue = make();
    fill(queue);
    const { depth, rejected } = queue.stats();
    const bytes = of('one');
    const pushes = [queue.push(bytes), queue.push(of('two'))];
    bytes.fill('x');
    expect(queue.size).toBe(depth);
    for (let i = 0; i < depth; i++) queue.tryPop();
    await Promise.all(pushes);
    expect([queue.tryPop(), queue.tryPop()].map(String)).toEqual(['one', 'two']);
    expect(queue.stats().rejected).toBe(rejected);
  });

  test('a wait ends at its time', async () => {
    using queue = make();
    expect(await rejectionOf(queue.pop({ timeoutMs: 5 }))).toMatchObject({ code: 'ERR_QUEUE_TIMEOUT' });
    expect(await rejectionOf(queue.pop({ timeoutMs: 0 }))).toMatchObject({ code: 'ERR_QUEUE_TIMEOUT' });
    fill(queue);
    const { rejected } = queue.stats();
    expect(await rejectionOf(queue.push(of('x'), { timeoutMs: 5 }))).toMatchObject({ code: 'ERR_QUEUE_TIMEOUT' });
    expect(queue.stats().rejected).toBe(rejected + 1);
    expect(String(await queue.pop({ timeoutMs: 1000 }))).toHaveLength(24);
  });

  test('a wait ends when its signal aborts, and the next in line is served', async () => {
    using queue = make();
    const stop = new AbortController();
    const aborted = queue.pop({ signal: stop.signal });
    const other = queue.pop();
    stop.abort('enough');
    expect(await rejectionOf(aborted)).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' });
    queue.tryPush(of('a'));
    expect(String(await other)).toBe('a');
    expect(await rejectionOf(queue.pop({ signal: AbortSignal.abort() }))).toMatchObject({ code: 'ABORT_ERR' });
  });

  test('a signal has one listener, however many wait with it, and none when nobody does', async () => {
    using queue = make();
    const stop = new AbortController();
    const { signal } = stop;
    const listeners = (): number => getEventListeners(signal, 'abort').length;
    const served = Array.from({ length: 2 }, () => queue.pop({ signal }));
    expect(listeners()).toBe(1);
    queue.pushMany([of('a'), of('b')]);
    expect((await Promise.all(served)).map(String)).toEqual(['a', 'b']);
    expect(listeners()).toBe(0);
    const aborted = Array.from({ length: 20 }, () => rejectionOf(queue.pop({ signal })));
    expect(listeners()).toBe(1);
    stop.abort();
    for (const error of await Promise.all(aborted)) expect(error).toMatchObject({ code: 'ABORT_ERR' });
    expect(listeners()).toBe(0);
  });

  test('what is there is had at once, whatever the options say', async () => {
    using queue = make();
    queue.tryPush(of('a'));
    expect(String(await queue.pop({ timeoutMs: 0 }))).toBe('a');
    await queue.push(of('b'), { timeoutMs: 0 });
    expect(queue.size).toBe(1);
  });

  test('close() ends pops without a message and refuses pushes', async () => {
    using queue = make();
    const pops = [queue.pop(), queue.pop()];
    queue.close();
    expect(await Promise.all(pops)).toEqual([undefined, undefined]);
    expect(await queue.pop()).toBeUndefined();
    expect(await rejectionOf(queue.push(of('x')))).toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });

  test('close() refuses pushes that wait', async () => {
    using queue = make();
    fill(queue);
    const waits = queue.push(of('x'));
    queue.close();
    expect(await rejectionOf(waits)).toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });

  test('detach() rejects what waits', async () => {
    const queue = make();
    const waits = queue.pop();
    queue.detach();
    expect(await rejectionOf(waits)).toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });

  test('iterates until the end, and break leaves it open', async () => {
    using queue = make();
    queue.pushMany([of('a'), of('b')]);
    for await (const message of queue) {
      expect(String(message)).toBe('a');
      break;
    }
    setImmediate(() => {
      queue.tryPush(of('c'));
      queue.close();
    });
    const rest: string[] = [];
    for await (const message of queue) rest.push(String(message));
    expect(rest).toEqual(['b', 'c']);
  });

  test('an iterator that is returned takes nothing more', async () => {
    using queue = make();
    const iterator = queue[Symbol.asyncIterator]();
    const next = iterator.next();
    await iterator.return!();
    expect(await next).toEqual({ done: true, value: undefined });
    queue.tryPush(of('a'));
    await turn();
    expect(queue.size).toBe(1);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('popSync() answers what is there, and undefined when the time is over', () => {
    using queue = make();
    queue.tryPush(of('a'));
    expect(String(queue.popSync())).toBe('a');
    expect(queue.popSync(0)).toBeUndefined();
    expect(queue.popSync(3.5)).toBeUndefined();
  });

  test('checks its options', async () => {
    using queue = make();
    expect((await rejectionOf(queue.pop({ timeoutMs: -1 }))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await rejectionOf(queue.pop({ timeoutMs: NaN }))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await rejectionOf(queue.pop({ signal: {} as never }))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect((await rejectionOf(queue.pop(7 as never))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect((await rejectionOf(queue.push('x' as never))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(codeOf(() => queue.ref().unref())).toBeUndefined();
  });
});

test('waits of one thread on two handles are served one after the other', async () => {
  using one = new MpmcQueue({ capacity: 4, messageBytes: 8 });
  using other = MpmcQueue.attach(one.share());
  const served: string[] = [];
  const waits = [one.pop().then(() => served.push('one')), other.pop().then(() => served.push('other'))];
  one.tryPush(of('a'));
  one.tryPush(of('b'));
  await Promise.all(waits);
  expect(served.sort()).toEqual(['one', 'other']);
});

test('what a pop was woken for goes to the next one if it gives up', async () => {
  using one = new MpmcQueue({ capacity: 4, messageBytes: 8 });
  using other = MpmcQueue.attach(one.share());
  const stop = new AbortController();
  const first = one.pop({ signal: stop.signal });
  const second = other.pop();
  one.tryPush(of('a'));
  stop.abort(); // It has been woken, and has not come to it.
  expect((await rejectionOf(first)).code).toBe('ABORT_ERR');
  expect(String(await second)).toBe('a');
});
