import { checkNumber, checkObject } from '@millrace/native';
import { unwatchAbort, watchAbort } from './abort-watch.js';
import { errors } from './errors.js';
import type { WaitOptions } from './types.js';

/** What an attempt answers when it must wait. */
export const NOT_YET = Symbol('not yet');

/** The native side of a line: being listed among those whom other threads wake, and not any more. */
export interface LineSide {
  enter(): void;
  settle(): void;
}

interface Waiting {
  /** False: not yet. Otherwise the promise is settled. */
  serve(): boolean;
  fail(error: Error): void;
}

export function checkWaitOptions(options: WaitOptions | undefined): WaitOptions {
  if (options === undefined) return {};
  const { signal, timeoutMs } = checkObject('options', options);
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw errors.signal(signal);
  if (timeoutMs !== undefined) checkNumber('options.timeoutMs', timeoutMs, 0);
  return options;
}

/**
 * Promises of one thread that wait for the same thing of a queue, served in their order. Native code knows of the line
 * as one waiter, from its first promise to its last; one wake-up serves as many as there is something for.
 */
export class WaitLine {
  readonly #side: LineSide;
  readonly #waiting = new Set<Waiting>();
  #entered = false;

  constructor(side: LineSide) {
    this.#side = side;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Tries again and again, in its turn, until `attempt` answers something else than NOT_YET, or throws.
   *
   * @param what - for the message of a timeout
   * @param gaveUp - called when the wait ends without an answer
   */
  add<T>(attempt: () => T | typeof NOT_YET, options: WaitOptions, what: string, gaveUp?: () => void): Promise<T> {
    const { signal, timeoutMs } = options;
    if (signal?.aborted === true) return Promise.reject(errors.abort(signal));
    return new Promise<T>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const leave = (): void => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        if (signal !== undefined) unwatchAbort(signal, onAbort);
      };
      const waiting: Waiting = {
        serve: () => {
          try {
            const answer = attempt();
            if (answer === NOT_YET) return false;
            resolve(answer);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
          leave();
          return true;
        },
        fail: (error) => {
          leave();
          gaveUp?.();
          reject(error);
        },
      };
      const giveUp = (error: Error): void => {
        waiting.fail(error);
        this.#rest();
      };
      const onAbort = (): void => giveUp(errors.abort(signal!));
      this.#waiting.add(waiting);
      if (signal !== undefined) watchAbort(signal, onAbort);
      if (timeoutMs !== undefined && timeoutMs < 2 ** 31) {
        // Not what keeps the process alive: the line does.
        timer = setTimeout(() => giveUp(errors.timeout(what, timeoutMs)), timeoutMs).unref();
      }
      this.#pump();
    });
  }

  /** There may be something: who was woken is listed no more. */
  woken(): void {
    this.#entered = false;
    if (!this.isEmpty) this.#pump();
  }

  failAll(error: () => Error): void {
    for (const waiting of this.#waiting) waiting.fail(error());
    this.#rest();
  }

  #pump(): void {
    this.#serve();
    if (!this.isEmpty && !this.#entered) {
      this.#entered = true;
      this.#side.enter();
      // What came before this thread was listed woke nobody.
      this.#serve();
    }
    this.#rest();
  }

  #serve(): void {
    for (const waiting of this.#waiting) if (!waiting.serve()) return;
  }

  // Even if it is listed no more: what it was woken for may be for another thread now.
  #rest(): void {
    if (this.isEmpty) {
      this.#entered = false;
      this.#side.settle();
    }
  }
}
