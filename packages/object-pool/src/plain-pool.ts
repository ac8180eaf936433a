import { checkBoolean, checkFunction, checkInteger, checkObject } from '@millrace/native';
import { closedError, invalidRecordError } from './errors.js';
import { Leaks } from './leaks.js';
import { native } from './native.js';
import type { PlainPool, PlainPoolOptions } from './types.js';

/** A pool of plain objects, for one thread. Keeps those that are out in a set, which is what a pair costs most for. */
export class PlainObjectPool<T extends object> implements PlainPool<T> {
  readonly capacity: number;
  readonly #create: () => T;
  readonly #reset: ((object: T) => void) | undefined;
  readonly #leaks: Leaks<T> | undefined;
  readonly #free: T[] = [];
  readonly #out = new Set<T>();
  /** Calls of `create` that have not returned yet: it may acquire, too. */
  #making = 0;
  #closed = false;

  constructor(options: PlainPoolOptions<T>) {
    const { create, reset, capacity, debug = false } = checkObject('options', options);
    this.#create = checkFunction('options.create', create);
    this.#reset = reset === undefined ? undefined : checkFunction('options.reset', reset);
    this.capacity = checkInteger('options.capacity', capacity, 1, native.maxCapacity);
    this.#leaks = checkBoolean('options.debug', debug) ? new Leaks('objects') : undefined;
  }

  get size(): number {
    this.#checkOpen();
    return this.#out.size;
  }

  acquire(): T | undefined {
    this.#checkOpen();
    if (this.#out.size + this.#making >= this.capacity) return undefined;
    const object = this.#free.pop() ?? this.#make();
    this.#out.add(object);
    this.#leaks?.acquired(object);
    return object;
  }

  release(object: T): void {
    this.#checkOpen();
    if (!this.#out.has(object)) throw invalidRecordError('The object');
    // If it throws, the object stays out.
    this.#reset?.(object);
    // And it may have released the object itself, or closed the pool.
    if (!this.#out.delete(object)) return;
    this.#leaks?.released(object);
    this.#free.push(object);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaks?.report((object) => this.#out.has(object));
    this.#free.length = 0;
    this.#out.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #make(): T {
    const object = checkObject('create()', this.#callCreate());
    this.#checkOpen();
    if (this.#out.has(object) || this.#free.includes(object)) {
      throw invalidRecordError('What create() made was there before and');
    }
    return object;
  }

  #callCreate(): T {
    this.#making++;
    try {
      return this.#create();
    } finally {
      this.#making--;
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}
