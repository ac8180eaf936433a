import { ObjectPool, record } from '@millrace/object-pool';
import { timed } from '../../../scripts/bench/timed.mjs';

const Tick = record({ symbol: 'ascii16', price: 'f64', size: 'f64', timeNs: 'u64' });
/** So many are out at a time, so that neither side works on one object that never leaves the cache. */
const WINDOW = 64;

class PlainTick {
  price = 0.5;
  size = 0.5;
}

/** What the loops compute, so that they cannot be left out. */
export let sink = 0;

function viewLoop() {
  const pool = new ObjectPool(Tick, { capacity: 1024 });
  const held = Array.from({ length: WINDOW }, () => pool.acquire());
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      pool.release(held[i % WINDOW]);
      const tick = pool.acquire();
      tick.price = i;
      tick.size = 2;
      held[i % WINDOW] = tick;
    }
  };
}

function indexLoop() {
  const pool = new ObjectPool(Tick, { capacity: 1024 });
  const held = Int32Array.from({ length: WINDOW }, () => pool.acquireIndex());
  const [price, size] = [pool.column('price'), pool.column('size')];
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      pool.releaseIndex(held[i % WINDOW]);
      const index = pool.acquireIndex();
      price.set(index, i);
      size.set(index, 2);
      held[i % WINDOW] = index;
    }
  };
}

function plainLoop() {
  const pool = new ObjectPool({ create: () => new PlainTick(), capacity: 1024 });
  const held = Array.from({ length: WINDOW }, () => pool.acquire());
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      pool.release(held[i % WINDOW]);
      const tick = pool.acquire();
      tick.price = i;
      tick.size = 2;
      held[i % WINDOW] = tick;
    }
  };
}

/** The pool that one writes in three lines: no bound, no check. */
function arrayLoop() {
  const free = [];
  const held = Array.from({ length: WINDOW }, () => new PlainTick());
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      free.push(held[i % WINDOW]);
      const tick = free.pop() ?? new PlainTick();
      tick.price = i;
      tick.size = 2;
      held[i % WINDOW] = tick;
    }
  };
}

function newLoop() {
  const held = Array.from({ length: WINDOW }, () => new PlainTick());
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) {
      const tick = new PlainTick();
      tick.price = i;
      tick.size = 2;
      held[i % WINDOW] = tick;
    }
  };
}

function fieldLoop() {
  const pool = new ObjectPool(Tick, { capacity: 1024 });
  const ticks = Array.from({ length: WINDOW }, () => pool.acquire());
  return (iterations) => {
    let sum = 0;
    for (let i = 0; i < iterations; i += 1) {
      ticks[i % WINDOW].price = i;
      sum += ticks[(i + 1) % WINDOW].price;
    }
    sink = sum;
  };
}

function objectFieldLoop() {
  const ticks = Array.from({ length: WINDOW }, () => new PlainTick());
  return (iterations) => {
    let sum = 0;
    for (let i = 0; i < iterations; i += 1) {
      ticks[i % WINDOW].price = i;
      sum += ticks[(i + 1) % WINDOW].price;
    }
    sink = sum;
  };
}

function columnLoop() {
  const pool = new ObjectPool(Tick, { capacity: 1024 });
  const price = pool.column('price');
  return (iterations) => {
    let sum = 0;
    for (let i = 0; i < iterations; i += 1) {
      price.set(i % WINDOW, i);
      sum += price.get((i + 1) % WINDOW);
    }
    sink = sum;
  };
}

function arrayFieldLoop() {
  const price = new Float64Array(1024);
  return (iterations) => {
    let sum = 0;
    for (let i = 0; i < iterations; i += 1) {
      price[i % WINDOW] = i;
      sum += price[(i + 1) % WINDOW];
    }
    sink = sum;
  };
}

/** Contenders of measureRounds(), by the names that run.mjs knows. */
export function javascriptContenders() {
  const loops = {
    view: viewLoop(),
    index: indexLoop(),
    plain: plainLoop(),
    'array of objects': arrayLoop(),
    'new object': newLoop(),
    field: fieldLoop(),
    'of an object': objectFieldLoop(),
    column: columnLoop(),
    Float64Array: arrayFieldLoop(),
  };
  return Object.entries(loops).map(([name, loop]) => ({ name, sample: timed(loop) }));
}
