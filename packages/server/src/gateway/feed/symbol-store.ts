import type { Keyspace } from '../keyspace.js';
import type { Stores } from '../stores.js';
import type { SymbolState } from './symbol-state.js';

/** How soon what found no room is tried again, when no message comes. */
const RETRY_MS = 200;

export interface SymbolStores {
  readonly keyspace: Pick<Keyspace, 'put'>;
  readonly totals: Pick<Stores['totals'], 'set'>;
}

/**
 * Writes symbols' figures where clients and later workers find them. What finds no room is written again with the next
 * batch and by a timer until it fits: a symbol that goes quiet shall not stay at an old price. One object a worker;
 * keeps the symbols that wait. Costs up to five map operations a symbol.
 */
export class SymbolStore {
  readonly #stores: SymbolStores;
  readonly #countUnstored: (symbols: number) => void;
  readonly #waiting = new Set<SymbolState>();
  #retry: NodeJS.Timeout | undefined;

  /** `countUnstored`: of symbols that begin to wait. */
  constructor(stores: SymbolStores, countUnstored: (symbols: number) => void) {
    this.#stores = stores;
    this.#countUnstored = countUnstored;
  }

  write(symbols: Iterable<SymbolState>): void {
    for (const symbol of new Set([...this.#waiting, ...symbols])) {
      if (this.#store(symbol)) {
        this.#waiting.delete(symbol);
      } else if (!this.#waiting.has(symbol)) {
        this.#waiting.add(symbol);
        this.#countUnstored(1);
      }
    }
    clearTimeout(this.#retry);
    if (this.#waiting.size > 0) this.#retry = setTimeout(() => this.write([]), RETRY_MS).unref();
  }

  close(): void {
    clearTimeout(this.#retry);
  }

  /** False when some of it found no room. The totals come first: the next worker cannot make them up. */
  #store({ symbol, last, quote, vwap, bar, totals }: SymbolState): boolean {
    const { keyspace } = this.#stores;
    const totalsFit = last === undefined || fits(() => this.#stores.totals.set(symbol, totals));
    const keysFit = fits(() => {
      if (last !== undefined) keyspace.put(`last:${symbol}`, Buffer.from(last));
      if (vwap !== undefined) keyspace.put(`vwap:${symbol}`, Buffer.from(vwap));
      if (bar !== undefined) keyspace.put(`bar:${symbol}`, Buffer.from(bar));
      if (quote !== undefined) keyspace.put(`quote:${symbol}`, Buffer.from(quote));
    });
    return totalsFit && keysFit;
  }
}

function fits(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MAP_FULL') return false;
    throw error;
  }
}
