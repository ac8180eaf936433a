import { closeSync, openSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { EPOLLIN, EPOLLOUT, EpollSet, EventFd } from '@millrace/epoll';
import { closedDescriptor } from './fifo';

test('wait writes pairs of a descriptor and its events', () => {
  using set = new EpollSet();
  using readable = new EventFd({ initial: 1 });
  using idle = new EventFd();
  expect(set.add(readable.fd, EPOLLIN).add(idle.fd, EPOLLIN)).toBe(set);
  const out = new Uint32Array(8);
  expect(set.wait(out)).toBe(1);
  expect([...out.subarray(0, 2)]).toEqual([readable.fd, EPOLLIN]);
  set.modify(idle.fd, EPOLLOUT).remove(readable.fd);
  expect(set.wait(out, 1000)).toBe(1);
  expect([...out.subarray(0, 2)]).toEqual([idle.fd, EPOLLOUT]);
});

test('wait answers 0 at its timeout, and not before it', () => {
  using set = new EpollSet();
  using event = new EventFd();
  set.add(event.fd, EPOLLIN);
  const out = new Uint32Array(2);
  expect(set.wait(out, 0)).toBe(0);
  const start = performance.now();
  expect(set.wait(out, 120)).toBe(0); // longer than a slice
  expect(performance.now() - start).toBeGreaterThanOrEqual(120);
});

test('a wait takes no memory for the room that it does not need', () => {
  using set = new EpollSet();
  using event = new EventFd({ initial: 1 });
  const out = new Uint32Array(2 ** 26);
  const before = process.memoryUsage.rss();
  expect(set.add(event.fd, EPOLLIN).wait(out, 0)).toBe(1);
  expect(process.memoryUsage.rss() - before).toBeLessThan(2 ** 27);
});

test('what finds no room comes with the next call', () => {
  using set = new EpollSet();
  const events = Array.from({ length: 5 }, () => new EventFd({ initial: 1 }));
  for (const { fd } of events) set.add(fd, EPOLLIN);
  const out = new Uint32Array(5); // two pairs, and one element that stays
  out[4] = 77;
  const seen = new Set<number>();
  for (let calls = 0; calls < 3; calls++) {
    const count = set.wait(out);
    for (let i = 0; i < count; i++) seen.add(out[2 * i]!);
  }
  expect(seen).toEqual(new Set(events.map(({ fd }) => fd)));
  expect(out[4]).toBe(77);
  for (const event of events) event.close();
});

test('the pairs may lie in shared memory', () => {
  using set = new EpollSet();
  using event = new EventFd({ initial: 1 });
  const out = new Uint32Array(new SharedArrayBuffer(16), 8);
  expect(set.add(event.fd, EPOLLIN).wait(out)).toBe(1);
  expect([...out]).toEqual([event.fd, EPOLLIN]);
});

test('errors are worded as those of Node', () => {
  using set = new EpollSet();
  using event = new EventFd();
  set.add(event.fd, EPOLLIN);
  const error = (code: string) => expect.objectContaining({ code, syscall: 'epoll_ctl' }) as Error;
  const file = openSync(__filename, 'r');
  expect(() => set.add(event.fd, EPOLLIN)).toThrow(error('EEXIST'));
  expect(() => set.add(file, EPOLLIN)).toThrow(error('EPERM'));
  expect(() => set.add(closedDescriptor(), EPOLLIN)).toThrow(error('EBADF'));
  set.remove(event.fd);
  expect(() => set.modify(event.fd, EPOLLIN)).toThrow(error('ENOENT'));
  expect(() => set.remove(event.fd)).toThrow(error('ENOENT'));
  closeSync(file);
  const out = new Uint32Array(2);
  const coded = (code: string) => expect.objectContaining({ code }) as Error;
  expect(() => set.wait(new Uint32Array(1), 0)).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => set.wait([0, 0] as never, 0)).toThrow(coded('ERR_INVALID_ARG_TYPE'));
  expect(() => set.wait(out, -1)).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => set.wait(out, NaN)).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => set.wait(out, '1' as never)).toThrow(coded('ERR_INVALID_ARG_TYPE'));
});

test('close may be called twice, the other members may not follow it', () => {
  const set = new EpollSet();
  set.close();
  set.close();
  const closed = expect.objectContaining({ code: 'ERR_EPOLL_CLOSED' });
  expect(() => set.add(0, EPOLLIN)).toThrow(closed);
  expect(() => set.modify(0, EPOLLIN)).toThrow(closed);
  expect(() => set.remove(0)).toThrow(closed);
  expect(() => set.wait(new Uint32Array(2), 0)).toThrow(closed);
});
