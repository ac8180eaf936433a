// One sample: creates timers of a kind, all live at once, and cancels them, twice. Says nanoseconds for creating and
// cancelling one the first time, when memory is new and code cold, and again; and the bytes that a live one takes.
//   node --expose-gc timers.mjs KIND COUNT
import { TimerWheel } from '@millrace/timer-wheel';

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const BATCH = 1_000;
const DELAYS = 60_000;
/** None expires meanwhile. */
const SOONEST_MS = 600_000;

/** Is told which, as a wheel's onExpire is. */
const expired = (id) => id;
/** In an order that is none: neighbours lie far apart. */
const delays = Uint32Array.from({ length: count }, (_, i) => SOONEST_MS + ((i * 7_919) % DELAYS));
const ids = Uint32Array.from({ length: count }, (_, i) => i);

function nodeTimers(n) {
  const timers = new Array(n).fill(null);
  return {
    create() {
      for (let i = 0; i < n; i += 1) timers[i] = setTimeout(expired, delays[i], i);
    },
    cancel() {
      for (let i = 0; i < n; i += 1) clearTimeout(timers[i]);
    },
  };
}

function wheelTimeouts(n) {
  const wheel = new TimerWheel({ capacity: n });
  const timers = new Array(n).fill(null);
  return {
    create() {
      for (let i = 0; i < n; i += 1) timers[i] = wheel.setTimeout(expired, delays[i], i);
    },
    cancel() {
      for (let i = 0; i < n; i += 1) wheel.clearTimeout(timers[i]);
    },
    end: () => wheel.close(),
  };
}

function wheelTimers(n) {
  const wheel = new TimerWheel({ capacity: n });
  const timers = new Float64Array(n).fill(1);
  return {
    create() {
      for (let i = 0; i < n; i += 1) timers[i] = wheel.schedule(delays[i], i);
    },
    cancel() {
      for (let i = 0; i < n; i += 1) wheel.cancel(timers[i]);
    },
    end: () => wheel.close(),
  };
}

function wheelBatches(n) {
  const wheel = new TimerWheel({ capacity: n });
  const timers = new Float64Array(n).fill(1);
  return {
    create() {
      for (let first = 0; first < n; first += BATCH) {
        const last = first + BATCH;
        wheel.scheduleMany(delays.subarray(first, last), ids.subarray(first, last), timers.subarray(first, last));
      }
    },
    cancel() {
      for (let first = 0; first < n; first += BATCH) wheel.cancelMany(timers.subarray(first, first + BATCH));
    },
    end: () => wheel.close(),
  };
}

const kinds = {
  setTimeout: nodeTimers,
  schedule: wheelTimers,
  scheduleMany: wheelBatches,
  'wheel.setTimeout': wheelTimeouts,
};

function timeOf(body) {
  const start = performance.now();
  body();
  return performance.now() - start;
}

function residentBytes() {
  globalThis.gc();
  return process.memoryUsage().rss;
}

const perTimer = (ms) => (ms * 1e6) / count;
const timers = kinds[kind](count);
const before = residentBytes();
const created = timeOf(timers.create);
const bytes = residentBytes() - before;
const cancelled = timeOf(timers.cancel);
const again = timeOf(() => {
  timers.create();
  timers.cancel();
});
timers.end?.();
console.log(JSON.stringify({ first: perTimer(created + cancelled), again: perTimer(again), bytes: bytes / count }));
