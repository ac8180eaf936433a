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
    for (let step = 0; step < 4000; step++) {
      const id = someId();
      const ms = delay();
      switch (below(4)) {
        case 0:
          if (live.size === 200) break;
          live.set(nextId, { handle: wheel.schedule(ms, nextId), tick: tickOf(ms) });
          nextId++;
          break;
        case 1:
          if (id === undefined) break;
          if (!wheel.cancel(live.get(id)!.handle)) throw new Error(`seed ${seed}: ${id} was not live`);
          live.delete(id);
          break;
        case 2:
          if (id === undefined) break;
          wheel.reschedule(live.get(id)!.handle, ms);
          live.get(id)!.tick = tickOf(ms);
          break;
        default: {
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
      const next = live.size === 0 ? undefined : Math.min(...[...live.values()].map(({ tick }) => tick)) * tickMs;
      expect([seed, wheel.size, wheel.nextExpiryMs()]).toEqual([seed, live.size, next]);
    }
    wheel.close();
  }
});
