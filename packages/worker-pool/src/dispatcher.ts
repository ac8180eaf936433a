import type { TaskAnswer } from './answer-reader.js';
import { Balancer } from './balancer.js';
import { errors } from './errors.js';
import type { AbortKind } from './layout.js';
import type { CheckedOptions } from './options.js';
import type { PoolThread } from './pool-thread.js';
import type { Task } from './task.js';
import { TaskFigures } from './task-figures.js';
import { TaskQueue } from './task-queue.js';

/** So much work, by the mean of what was run, is given to a worker in advance, and so many tasks at most. */
const AHEAD_MS = 1;
const MOST_AHEAD = 256;
/** Tasks over which the mean is taken, about. */
const MEAN_OVER = 8;

/**
 * Which task goes to which worker and when: holds the queue, gives tasks to lanes, takes them back when a more urgent
 * one comes or another worker has nothing to do, and settles them. For the pool's thread. Owns the queue and the figures.
 * A task costs no allocation here.
 */
export class Dispatcher {
  readonly queue = new TaskQueue();
  readonly figures = new TaskFigures();
  /** Tasks whose promises are pending. */
  unsettled = 0;
  readonly #options: CheckedOptions;
  /** Threads on seats. */
  readonly #threads: PoolThread[] = [];
  readonly #idle: () => void;
  readonly #balancer: Balancer;
  #meanMs = AHEAD_MS;

  /** `idle` is called when no promise is pending any more. */
  constructor(options: CheckedOptions, idle: () => void) {
    this.#options = options;
    this.#idle = idle;
    this.#balancer = new Balancer(
      (thread) => this.#roomOf(thread) > 0,
      (thread, tasks) => this.#takeOver(thread, tasks),
    );
  }

  hasRoom(count: number): boolean {
    const { capacity, workers } = this.#options;
    return this.unsettled + count <= capacity + workers;
  }

  /** Makes room by dropping the oldest task that has not begun. False: all have. */
  dropOldest(): boolean {
    this.#requeue(this.#threads.flatMap(({ lane }) => lane.takeBackAll()));
    const task = this.queue.dropOldest();
    if (task === undefined) return false;
    this.#reject(task, errors.dropped());
    return true;
  }

  /** There is room. `dispatch` is to follow. */
  add(task: Task): void {
    this.unsettled++;
    this.queue.push(task);
  }

  // --- Threads ---

  addThread(thread: PoolThread): void {
    this.#threads.push(thread);
  }

  /**
   * Takes back what the thread has not begun, and fails what it has.
   *
   * @param failure - makes the error for a task that was begun
   */
  removeThread(thread: PoolThread, failure: () => Error): void {
    const index = this.#threads.indexOf(thread);
    if (index >= 0) this.#threads.splice(index, 1);
    const { lane } = thread;
    this.#requeue(lane.takeBackAll());
    // Last of all: what it finished before nothing was left for it to begin counts.
    this.collect(thread);
    for (const task of lane.takeBegun()) this.#fail(task, failure());
    lane.close();
  }

  /** The thread is to begin nothing more. True: it runs nothing, and was given nothing that it alone can run. */
  retire(thread: PoolThread): boolean {
    thread.retiring = true;
    this.#requeue(thread.lane.takeBackAll());
    this.collect(thread);
    return thread.lane.outstanding === 0;
  }

  /** Takes in what the thread has answered. */
  collect(thread: PoolThread): void {
    thread.lane.collect((task, answer) => this.#answered(thread, task, answer));
  }

  #answered(thread: PoolThread, task: Task, answer: TaskAnswer): void {
    const { runMs } = answer;
    this.#meanMs += (runMs - this.#meanMs) / MEAN_OVER;
    this.figures.waits.add(answer.startedAt - task.enqueuedAt);
    this.figures.runs.add(runMs);
    thread.overdueSince = undefined;
    const { failed, value } = answer;
    if (!task.settle(failed ? task.reject : task.resolve, value)) return;
    if (failed) this.figures.failed++;
    else this.figures.completed++;
    this.#settled();
  }

  #settled(): void {
    if (--this.unsettled === 0) this.#idle();
  }

  #fail(task: Task, error: unknown): void {
    if (!task.settle(task.reject, error)) return;
    this.figures.failed++;
    this.#settled();
  }

  /** Of a task that has not begun and is in no queue. */
  #reject(task: Task, error: unknown): void {
    if (!task.settle(task.reject, error)) return;
    this.figures.rejected++;
    this.#settled();
  }

  /** The caller does not want it any more: removed if it has not begun, else told to end. */
  abandon(task: Task, error: unknown, kind: AbortKind): void {
    if (task.settled) return;
    const { lane } = task;
    if (lane === undefined) {
      this.#reject(task, error);
      if (task.queued) this.queue.settledOne();
    } else if (lane.takeBack(task)) {
      this.#reject(task, error);
    } else {
      const thread = this.#threads.find((one) => one.lane === lane);
      if (thread !== undefined) this.collect(thread);
      if (task.settled) return;
      if (thread !== undefined) thread.overdueSince = performance.now();
      lane.abort(task, kind);
      this.#fail(task, error);
    }
  }

  /** Rejects all that has not ended. */
  abandonAll(makeError: () => Error): void {
    for (const thread of [...this.#threads]) {
      this.collect(thread);
      this.#requeue(thread.lane.takeBackAll());
      for (const task of thread.lane.takeBegun()) this.#fail(task, makeError());
      thread.overdueSince = undefined;
    }
    for (let task = this.queue.shift(); task !== undefined; task = this.queue.shift()) this.#reject(task, makeError());
  }

  #requeue(tasks: Task[]): void {
    // The last one first: each goes before the others.
    tasks.sort((a, b) => b.sequence - a.sequence);
    for (const task of tasks) this.queue.unshift(task);
  }

  // --- Giving ---

  /** Gives what can be given. */
  dispatch(): void {
    this.#preempt();
    for (let task = this.queue.peek(); task !== undefined; task = this.queue.peek()) {
      const thread = this.#pick(task);
      if (thread === undefined) break;
      this.#give(thread);
    }
    if (this.queue.length === 0) this.#balancer.balance(this.#threads, this.#meanMs);
    for (const { lane } of this.#threads) lane.publish();
  }

  /** More urgent tasks go before those that were given and have not begun. */
  #preempt(): void {
    const first = this.queue.peek();
    if (first === undefined) return;
    for (const { lane } of this.#threads) {
      // Not gathered from all of them: that is rare, and this is every time.
      if (lane.lowestPriority < first.priority) this.#requeue(lane.takeBackAll());
    }
  }

  /** The thread with the least to do, if there is one to give something to. */
  #pick(task: Task): PoolThread | undefined {
    let best: PoolThread | undefined;
    for (const thread of this.#threads) {
      if (best !== undefined && thread.lane.outstanding >= best.lane.outstanding) continue;
      if (this.#roomOf(thread) > 0 && !(task.transfers && thread.lane.outstanding > 0)) best = thread;
    }
    return best;
  }

  #roomOf(thread: PoolThread): number {
    const { outstanding, answered } = thread.lane;
    // Nothing waits behind a task that may cost the worker its life.
    const ahead =
      thread.overdueSince === undefined ? Math.min(MOST_AHEAD, Math.max(1, Math.floor(AHEAD_MS / this.#meanMs))) : 1;
    const room = Math.min(ahead - outstanding, this.#options.recycleAfterTasks - answered - outstanding);
    return room > 0 && !thread.retiring ? Math.min(room, thread.lane.room) : 0;
  }

  #give(thread: PoolThread): void {
    const { lane } = thread;
    const share = Math.ceil(this.queue.length / this.#threads.length);
    for (let left = Math.min(this.#roomOf(thread), share); left > 0; left--) {
      const task = this.queue.peek();
      if (task === undefined || (task.transfers && lane.outstanding > 0)) return;
      this.queue.shift();
      try {
        lane.give(task);
        if (task.settled) lane.takeBack(task);
      } catch (error) {
        this.#reject(task, error);
        continue;
      }
      if (task.transfers) return;
    }
  }

  /** For an idle thread: what another has not begun, as far as it is to be taken over. */
  #takeOver(thread: PoolThread, tasks: Task[]): void {
    this.#requeue(tasks);
    while (this.queue.length > 0 && this.#roomOf(thread) > 0) this.#give(thread);
    thread.lane.publish();
  }

  // --- Figures ---

  /** Whether a worker has something to do. */
  get busy(): boolean {
    return this.#threads.some((thread) => thread.lane.outstanding > 0);
  }

  get running(): number {
    let running = 0;
    for (const { lane, overdueSince } of this.#threads) {
      // Plain sums: what has been answered and not collected still counts as running.
      running += lane.outstanding - lane.waiting - (overdueSince === undefined ? 0 : 1);
    }
    return running;
  }
}
