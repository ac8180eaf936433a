import { readdirSync } from 'node:fs';
import { EventFd } from '@millrace/epoll';

test('counts what it is notified of, until it is drained', () => {
  using event = new EventFd({ initial: 3 });
  event.notify();
  event.notify(2 ** 40);
  expect(event.drain()).toBe(2 ** 40 + 4);
  expect(event.drain()).toBe(0);
});

test('a semaphore gives out its counter one by one', () => {
  using event = new EventFd({ initial: 2, semaphore: true });
  expect([event.drain(), event.drain(), event.drain()]).toEqual([1, 1, 0]);
});

test('a counter without room stays as it is', () => {
  using event = new EventFd();
  // 2,048 times the most that a call takes leave less room than one more needs.
  for (let i = 0; i < 2048 + 1; i++) event.notify(Number.MAX_SAFE_INTEGER);
  expect(event.drain()).toBe(Number(2048n * BigInt(Number.MAX_SAFE_INTEGER)));
});

test('arguments are checked', () => {
  const coded = (code: string) => expect.objectContaining({ code }) as Error;
  using event = new EventFd();
  expect(() => new EventFd({ initial: -1 })).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => new EventFd({ initial: 2 ** 32 })).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => new EventFd({ semaphore: 1 as never })).toThrow(coded('ERR_INVALID_ARG_TYPE'));
  expect(() => new EventFd(7 as never)).toThrow(coded('ERR_INVALID_ARG_TYPE'));
  expect(() => event.notify(0)).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => event.notify(1.5)).toThrow(coded('ERR_OUT_OF_RANGE'));
  expect(() => event.notify(1n as never)).toThrow(coded('ERR_INVALID_ARG_TYPE'));
});

test('close gives the descriptor back, once; the other members may not follow it', () => {
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const event = new EventFd();
  expect(descriptors()).toBe(before + 1);
  event.close();
  event.close();
  expect(descriptors()).toBe(before);
  const closed = expect.objectContaining({ code: 'ERR_EVENT_FD_CLOSED' });
  expect(() => event.fd).toThrow(closed);
  expect(() => event.notify()).toThrow(closed);
  expect(() => event.drain()).toThrow(closed);
});
