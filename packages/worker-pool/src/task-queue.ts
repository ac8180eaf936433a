import { Deque } from './deque.js';
import type { Task } from './task.js';

/** Settled tasks that may lie in the queue before they are swept out. */
const MOST_SETTLED = 64;

interface Level {
  priority: number;
  tasks: Deque<Task>;
}

/**
 * Tasks that wait: by priority, the highest first, and within one in the order they came. For one thread. Tasks that
 * settle while they wait (aborted, timed out) stay where they are until they come up or are swept out; `length` counts
 * those that wait. A push or shift costs O(priorities in use).
 */
export class TaskQueue {
  /** Highest priority first; never an empty one. */
  readonly #levels: Level[] = [];
  #settled = 0;
  length = 0;

  push(task: Task): void {
    this.#level(task.priority).push(task);
    task.queued = true;
    this.length++;
  }

  /** Puts back what was given and not begun: before the others of its priority. */
  unshift(task: Task): void {
    this.#level(task.priority).unshift(task);
    task.queued = true;
    this.length++;
  }

  peek(): Task | undefined {
    this.#dropSettled(0);
    return this.#levels[0]?.tasks.peek();
  }

  shift(): Task | undefined {
    return this.#take(0);
  }

  /** Takes the oldest of the lowest priority. */
  dropOldest(): Task | undefined {
    return this.#take(this.#levels.length - 1);
  }

  /** A task that waits here has settled. */
  settledOne(): void {
    this.length--;
    if (++this.#settled <= MOST_SETTLED + this.length) return;
    for (const { tasks } of this.#levels) tasks.retain((task) => !task.settled);
    this.#settled = 0;
    for (let i = this.#levels.length - 1; i >= 0; i--)
      if (this.#levels[i]!.tasks.length === 0) this.#levels.splice(i, 1);
  }

  #take(index: number): Task | undefined {
    for (let at = index; at >= 0; at = index === 0 ? 0 : at - 1) {
      this.#dropSettled(at);
      const level = this.#levels[at];
      if (level === undefined) return undefined;
      const task = level.tasks.shift();
      if (level.tasks.length === 0) this.#levels.splice(at, 1);
      if (task === undefined) continue;
      task.queued = false;
      this.length--;
      return task;
    }
    return undefined;
  }

  /** Makes the first of a level one that waits; removes levels that have none, if it is the first one. */
  #dropSettled(index: number): void {
    for (let level = this.#levels[index]; level !== undefined; level = this.#levels[index]) {
      while (level.tasks.peek()?.settled === true) {
        level.tasks.shift();
        this.#settled--;
      }
      if (level.tasks.length > 0 || index > 0) return;
      this.#levels.shift();
    }
  }

  #level(priority: number): Deque<Task> {
    const levels = this.#levels;
    const first = levels[0];
    if (first?.priority === priority) return first.tasks;
    let i = 0;
    while (i < levels.length && levels[i]!.priority > priority) i++;
    if (levels[i]?.priority !== priority) levels.splice(i, 0, { priority, tasks: new Deque<Task>() });
    return levels[i]!.tasks;
  }
}
