import type { ConcurrentMap } from '@millrace/concurrent-map';
import { globMatches } from './glob.js';
import type { SubscriptionKind } from './topics.js';

export type CountMap = ConcurrentMap<'string', 'f64'>;

/** One lives in a SharedArrayBuffer: counts the changes of the set of patterns. */
export type PatternVersion = Int32Array<SharedArrayBuffer>;

/**
 * How many connections subscribe to each channel and each pattern, over all workers. One object a thread, over shared
 * maps; any thread may call its own at any time. Owns this thread's copy of the list of patterns, which is read again
 * when another thread changed it. The maps' capacities bound the names; joining costs one map operation.
 */
export class Channels {
  readonly #channels: CountMap;
  readonly #patterns: CountMap;
  readonly #version: PatternVersion;
  #seenVersion = -1;
  #list: readonly string[] = [];

  constructor(channels: CountMap, patterns: CountMap, version: PatternVersion) {
    this.#channels = channels;
    this.#patterns = patterns;
    this.#version = version;
  }

  /** False when there is no room for another name. */
  join(kind: SubscriptionKind, name: string): boolean {
    try {
      const count = this.#counts(kind).add(name, 1);
      if (kind === 'pattern' && count === 1) Atomics.add(this.#version, 0, 1);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MAP_FULL') return false;
      throw error;
    }
  }

  leave(kind: SubscriptionKind, name: string): void {
    const counts = this.#counts(kind);
    if (counts.add(name, -1) > 0) return;
    // Stays when somebody joined in between.
    counts.deleteIf(name, 0);
    if (kind === 'pattern') Atomics.add(this.#version, 0, 1);
  }

  subscribers(channel: string): number {
    return this.#channels.get(channel) ?? 0;
  }

  /** The channels that somebody subscribes to, and that `pattern` matches. */
  names(pattern: string | undefined): string[] {
    const names: string[] = [];
    for (const [name, count] of this.#channels) {
      if (count > 0 && (pattern === undefined || globMatches(pattern, name))) names.push(name);
    }
    return names;
  }

  /** The patterns that somebody subscribes to. */
  patterns(): readonly string[] {
    const version = Atomics.load(this.#version, 0);
    if (version !== this.#seenVersion) {
      // The version was read first: a change during the walk is seen next time.
      this.#list = [...this.#patterns].filter(([, count]) => count > 0).map(([name]) => name);
      this.#seenVersion = version;
    }
    return this.#list;
  }

  #counts(kind: SubscriptionKind): CountMap {
    return kind === 'channel' ? this.#channels : this.#patterns;
  }
}
