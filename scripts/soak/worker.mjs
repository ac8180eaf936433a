// A worker of soak/run.mjs: uses every shared structure in random order until it is ended. Before each operation it
// notes that it is at work, and after it that it is not, so that the parent can count how it was caught.
import { workerData } from 'node:worker_threads';
import { ConcurrentMap } from '@millrace/concurrent-map';
import { Epoll, EpollSet, EventFd, EPOLLIN } from '@millrace/epoll';
import { ObjectPool } from '@millrace/object-pool';
import { MpmcQueue, SpscRing } from '@millrace/queue';
import { SlabAllocator } from '@millrace/slab';
import { TimerWheel } from '@millrace/timer-wheel';
import { randomFrom } from '../bench/statistics.mjs';

const { tokens, state, seed } = workerData;
const random = randomFrom(seed);
const below = (n) => Math.floor(random() * n);

const map = ConcurrentMap.attach(tokens.map);
const pool = ObjectPool.attach(tokens.pool);
const queue = MpmcQueue.attach(tokens.queue);
const ring = SpscRing.attach(tokens.ring);
const slab = SlabAllocator.attach(tokens.slab);
const wheel = TimerWheel.attach(tokens.wheel);
const bell = new EventFd();
const set = new EpollSet().add(bell.fd, EPOLLIN);
const poller = new Epoll(() => {}).add(bell.fd, EPOLLIN);
const out = new Uint32Array(8);
const bytes = Buffer.alloc(200, 'soak');
const offsets = new Uint32Array(16);

// What is taken and not given back is left to the end of the thread.
const operations = [
  () => map.set(`key-${below(500)}`, below(1e6)),
  () => map.delete(`key-${below(500)}`),
  () => map.update(`key-${below(500)}`, (value) => (value ?? 0) + 1),
  () => queue.tryPush(bytes.subarray(0, below(200))),
  () => queue.popMany(8, () => {}),
  () => queue.popSync(below(3)),
  () => ring.tryPop(),
  () => ring.popMany(16, () => {}),
  () => slab.tryAllocate(1 + below(5000)),
  () => slab.freeMany(offsets.subarray(0, slab.allocateMany(1 + below(2000), offsets))),
  () => pool.acquireIndex(),
  () => {
    const index = pool.acquireIndex();
    if (index >= 0) pool.releaseIndex(index);
  },
  () => wheel.cancel(wheel.schedule(1 + below(1000), below(1e6))),
  () => wheel.schedule(1 + below(50), below(1e6)),
  () => bell.notify(),
  () => bell.drain(),
  () => set.wait(out, below(2)),
  () => poller.modify(bell.fd, EPOLLIN),
];

for (;;) {
  Atomics.store(state, 0, 1);
  for (let i = 0; i < 20; i++) operations[below(operations.length)]();
  Atomics.store(state, 0, 0);
  Atomics.add(state, 1, 1);
}
