import type { PoolThread } from './pool-thread.js';
import type { Task } from './task.js';
import type { TaskLane } from './task-lane.js';

/** An idle worker takes over half of what another has not begun if that is so much work, or has waited so long. */
const WORTH_TAKING_MS = 0.2;
const TAKE_AFTER_MS = 1;

/**
 * Lets workers that have nothing to do take over from those that were given more than they come to: a task took longer
 * than the ones before it. For the pool's thread. Owns a timer, which does not keep the process alive. Costs a look at
 * each thread when one of them is idle.
 */
export class Balancer {
  readonly #canTake: (thread: PoolThread) => boolean;
  readonly #takeOver: (thread: PoolThread, tasks: Task[]) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(canTake: (thread: PoolThread) => boolean, takeOver: (thread: PoolThread, tasks: Task[]) => void) {
    this.#canTake = canTake;
    this.#takeOver = takeOver;
  }

  /**
   * Nothing is queued: what there is has been given to somebody.
   *
   * @param meanMs - what a task takes; one that takes much longer is why it is looked again a little later
   */
  balance(threads: readonly PoolThread[], meanMs: number, late = false): void {
    const idle = threads.filter((thread) => thread.lane.outstanding === 0 && this.#canTake(thread));
    if (idle.length === 0 || idle.length === threads.length) return;
    for (const thread of idle) {
      const donor = mostWaiting(threads);
      if (donor === undefined) return;
      const { waiting } = donor;
      if (!late && waiting * meanMs < WORTH_TAKING_MS) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.balance(threads, meanMs, true);
        }, TAKE_AFTER_MS).unref();
        return;
      }
      this.#takeOver(thread, donor.takeBackLast(Math.ceil(waiting / 2)));
    }
  }
}

function mostWaiting(threads: readonly PoolThread[]): TaskLane | undefined {
  let best: TaskLane | undefined;
  for (const { lane } of threads) {
    if (lane.outstanding > 1 && lane.waiting > (best?.waiting ?? 0)) best = lane;
  }
  return best;
}
