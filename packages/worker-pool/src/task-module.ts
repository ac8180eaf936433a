import { errors } from './errors.js';
import type { RunningTask } from './task-context.js';

type RunFunction = (value: unknown, context: RunningTask) => unknown;

/** The module of the tasks, whose exports go by numbers: 0 is the default one. */
export class TaskModule {
  readonly #url: string;
  readonly #namespace: Record<string, unknown>;
  readonly #functions: RunFunction[];

  constructor(url: string, namespace: Record<string, unknown>) {
    this.#url = url;
    this.#namespace = namespace;
    this.#functions = [this.#find('default')];
  }

  knows(number: number): boolean {
    return this.#functions[number] !== undefined;
  }

  functionOf(number: number): RunFunction {
    return this.#functions[number]!;
  }

  number(number: number, name: string): void {
    this.#functions[number] = this.#find(name);
  }

  #find(name: string): RunFunction {
    let error: unknown;
    try {
      const found = name === 'default' ? this.#default() : this.#named(name);
      if (typeof found === 'function') return found as RunFunction;
      error = errors.notFound(this.#url, name, found);
    } catch (thrown) {
      // By a getter.
      error = thrown;
    }
    // Only tasks of that name are to fail.
    return () => {
      throw error;
    };
  }

  #default(): unknown {
    const once = this.#namespace['default'];
    const twice = typeof once === 'object' && once !== null ? (once as { default?: unknown }).default : undefined;
    return twice ?? once;
  }

  /** Names that a CommonJS module exports in ways that cannot be seen from outside are on its default export. */
  #named(name: string): unknown {
    if (Object.hasOwn(this.#namespace, name)) return this.#namespace[name];
    const exported = this.#namespace['default'];
    const holds = (typeof exported === 'object' && exported !== null) || typeof exported === 'function';
    return holds && Object.hasOwn(exported, name) ? (exported as Record<string, unknown>)[name] : undefined;
  }
}
