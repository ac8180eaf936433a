import { TimerWheel, type TimerHandle } from '@millrace/timer-wheel';

test('a negative handle names no timer, not even in a place that ran out of generations', () => {
  using wheel = new TimerWheel({ clock: 'manual', capacity: 4 });
  for (const id of [1, 2, 3]) wheel.schedule(1000, id);
  const last = 2 ** 21 - 1;
  let handle = wheel.schedule(5, 4);
  while (Math.floor(handle / 2 ** 32) < last) {
    wheel.cancel(handle);
    handle = wheel.schedule(5, 4);
  }
  expect(wheel.cancel(handle)).toBe(true);
  // Its sign would borrow the flag of the living from the generation.
  expect(wheel.cancel(((handle % 2 ** 32) - 2 ** 32) as TimerHandle)).toBe(false);
  expect(wheel.size).toBe(3);
  expect(wheel.advance(2000)).toBe(3);
});
