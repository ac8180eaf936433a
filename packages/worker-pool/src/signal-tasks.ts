import type { Task } from './task.js';

/**
 * Tasks by the signals that can abort them: one listener a signal, however many tasks it has, and none when it has none.
 * For one thread. A signal is kept as long as tasks wait for it.
 */
export class SignalTasks {
  readonly #tasks = new Map<AbortSignal, { tasks: Set<Task>; listener: () => void }>();
  readonly #abort: (task: Task, signal: AbortSignal) => void;

  constructor(abort: (task: Task, signal: AbortSignal) => void) {
    this.#abort = abort;
  }

  /** Until `forget`, the signal aborts the task. */
  follow(task: Task, signal: AbortSignal): void {
    let entry = this.#tasks.get(signal);
    if (entry === undefined) {
      const tasks = new Set<Task>();
      const listener = (): void => {
        for (const one of [...tasks]) this.#abort(one, signal);
      };
      entry = { tasks, listener };
      this.#tasks.set(signal, entry);
      signal.addEventListener('abort', listener, { once: true });
    }
    entry.tasks.add(task);
  }

  forget(task: Task, signal: AbortSignal): void {
    const entry = this.#tasks.get(signal);
    if (entry === undefined || !entry.tasks.delete(task) || entry.tasks.size > 0) return;
    signal.removeEventListener('abort', entry.listener);
    this.#tasks.delete(signal);
  }
}
