const FIRST_CAPACITY = 16;

/** A queue in a ring that grows by doubling, open at both ends. For one thread; every call O(1), amortised. */
export class Deque<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(FIRST_CAPACITY);
  #first = 0;
  length = 0;

  push(item: T): void {
    if (this.length === this.#items.length) this.#grow();
    this.#items[(this.#first + this.length++) & (this.#items.length - 1)] = item;
  }

  unshift(item: T): void {
    if (this.length === this.#items.length) this.#grow();
    this.#first = (this.#first - 1) & (this.#items.length - 1);
    this.#items[this.#first] = item;
    this.length++;
  }

  peek(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#first];
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#items.length - 1);
    this.length--;
    return item;
  }

  /** Keeps those that `keep` says, in their order. */
  retain(keep: (item: T) => boolean): void {
    const kept: T[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) if (keep(item)) kept.push(item);
    for (const item of kept) this.push(item);
  }

  #grow(): void {
    const { length } = this.#items;
    const items = new Array<T | undefined>(length * 2);
    for (let i = 0; i < length; i++) items[i] = this.#items[(this.#first + i) & (length - 1)];
    this.#items = items;
    this.#first = 0;
  }
}
