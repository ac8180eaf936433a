import type { ConcurrentMap } from '@millrace/concurrent-map';
import type { ConnectionKey } from '../index.js';
import type { Channels } from './channels.js';
import type { Protocol } from './reply.js';

/** What a connection would lose with its worker, and what CLIENT LIST shows of it on another. */
export interface SessionRecord {
  readonly address: string;
  readonly localAddress: string;
  /** Milliseconds since 1970. */
  readonly openedAtMs: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** How many it subscribes to. */
  readonly channels: number;
  readonly patterns: number;
}

export interface SubscriptionRecord {
  readonly channels: readonly string[];
  readonly patterns: readonly string[];
}

export type SessionMap = ConcurrentMap<'fd-sequence', 'json', SessionRecord>;
export type SubscriptionMap = ConcurrentMap<'fd-sequence', 'json', SubscriptionRecord>;

/**
 * The open connections of all workers, and what they subscribe to. One object a thread, over shared maps; any thread
 * may call its own at any time. Whoever removes a connection's record gives its subscriptions back, so that it happens
 * once. Costs a map operation or two a change of name, protocol or subscriptions, none for other commands.
 */
export class Sessions {
  readonly #sessions: SessionMap;
  readonly #subscriptions: SubscriptionMap;
  readonly #channels: Channels;

  constructor(sessions: SessionMap, subscriptions: SubscriptionMap, channels: Channels) {
    this.#sessions = sessions;
    this.#subscriptions = subscriptions;
    this.#channels = channels;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** False when there is no room for another. */
  save(key: ConnectionKey, record: SessionRecord): boolean {
    return whereThereIsRoom(() => this.#sessions.set(key, record));
  }

  /** False when there is no room for so many names. */
  saveSubscriptions(key: ConnectionKey, { channels, patterns }: SubscriptionRecord): boolean {
    if (channels.length + patterns.length > 0) {
      return whereThereIsRoom(() => this.#subscriptions.set(key, { channels, patterns }));
    }
    this.#subscriptions.delete(key);
    return true;
  }

  find(key: ConnectionKey): SessionRecord | undefined {
    return this.#sessions.get(key);
  }

  findSubscriptions(key: ConnectionKey): SubscriptionRecord | undefined {
    return this.#subscriptions.get(key);
  }

  entries(): IterableIterator<[ConnectionKey, SessionRecord]> {
    return this.#sessions.entries();
  }

  /** Forgets a connection that is closed and gives back what it subscribed to. */
  close(key: ConnectionKey): void {
    if (!this.#sessions.delete(key)) return;
    const names = this.#subscriptions.get(key);
    if (names === undefined) return;
    this.#subscriptions.delete(key);
    for (const name of names.channels) this.#channels.leave('channel', name);
    for (const name of names.patterns) this.#channels.leave('pattern', name);
  }

  /**
   * Closes the records of connections that are gone: a worker that was terminated could not close its own. `readOpen`
   * answers the sequences of the open connections, and is called after the records were listed: one that opens
   * meanwhile is not taken for closed. Answers how many were swept. A subscription that its worker had counted but not
   * yet recorded when it was terminated stays in the count.
   */
  sweep(readOpen: () => ReadonlySet<number>): number {
    const recorded = [...this.#sessions.keys()];
    const open = readOpen();
    const gone = recorded.filter((key) => !open.has(key.sequence));
    for (const key of gone) this.close(key);
    return gone.length;
  }
}

function whereThereIsRoom(store: () => unknown): boolean {
  try {
    store();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MAP_FULL' || code === 'ERR_MAP_TOO_LARGE') return false;
    throw error;
  }
}
