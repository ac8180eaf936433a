import { TimerWheel, type TimerHandle } from '@millrace/timer-wheel';

/** Numbers that a seed repeats. */
function randomFrom(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

test('behaves like a sorted list', () => {
  const seed = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 2 ** 31);
  const below = randomFrom(seed);
  for (const tickMs of [1, 7, 100]) {
    const wheel = new TimerWheel({ clock: 'manual', tickMs, capacity: 200 });
    const live = new Map<number, { handle: TimerHandle; tick: number }>();
    let [now, lastTick, nextId] = [0, 0, 0];
    const delay = (): number => below(2 ** (1 + below(34)));
    const tickOf = (ms: number): number => Math.max(Math.ceil((now + ms) / tickMs), lastTick + 1);
    const someId = (): number | undefined => [...live.keys()][below(live.size)];
    let expired: number[] = [];
    wheel.onExpire = (ids) => (expired = [...ids]);
    // One after the other, with no call between them, and then all of them again.
    const cancel = (ids: number[]): void => {
      const handles = ids.map((id) => live.get(id)!.handle);
      for (const twice of [false, true]) {
        const done = handles.map((handle) => wheel.cancel(handle));
        expect({ seed, done }).toEqual({ seed, done: handles.map(() => !twice) });
      }
      for (const id of ids) live.delete(id);
    };
    for (let step = 0; step < 6000; step++) {
      const id = someId();
      const ms = delay();
      switch (below(24)) {
        default:
          if (live.size === 200) {
            expect(() => wheel.schedule(ms, nextId)).toThrow(expect.objectContaining({ code: 'ERR_TIMER_FULL' }));
            break;
          }
          live.set(nextId, { handle: wheel.schedule(ms, nextId), tick: tickOf(ms) });
          nextId++;
          break;
        case 0:
          while (live.size < 200) {
            live.set(nextId, { handle: wheel.schedule(ms, nextId), tick: tickOf(ms) });
            nextId++;
          }
          break;
        case 1:
          cancel([...live.keys()].slice(below(200)));
          break;
        case 2:
        case 3:
          if (id !== undefined) cancel([id]);
          break;
        case 4:
        case 5:
          if (id === undefined) break;
          wheel.reschedule(live.get(id)!.handle, ms);
          live.get(id)!.tick = tickOf(ms);
          break;
        case 6: {
          now += below(2 ** (1 + below(30)));
          expired = [];
          wheel.advance(now);
          lastTick = Math.floor(now / tickMs);
          const due = [...live].filter(([, { tick }]) => tick <= lastTick).map(([dueId]) => dueId);
          const ticks = expired.map((expiredId) => live.get(expiredId)!.tick);
          expect({ seed, ids: expired.toSorted() }).toEqual({ seed, ids: due.toSorted() });
          expect({ seed, ticks }).toEqual({ seed, ticks: ticks.toSorted((a, b) => a - b) });
          for (const dueId of due) live.delete(dueId);
        }
      }
      // From then on as before, but for how it is done.
      if (step === 5000) wheel.share();
      expect([seed, wheel.size]).toEqual([seed, live.size]);
      if (below(4) > 0) continue;
      const next = live.size === 0 ? undefined : Math.min(...[...live.values()].map(({ tick }) => tick)) * tickMs;
      expect([seed, wheel.nextExpiryMs()]).toEqual([seed, next]);
    }
    wheel.close();
  }
});
