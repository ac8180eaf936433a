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
  name: string;
  protocol: Protocol;
  channels: string[];
  patterns: string[];
}

export type SessionMap = ConcurrentMap<'fd-sequence', 'json', SessionRecord>;

/**
 * The open connections of all workers. One object a thread, over one map; any thread may call its own at any time.
 * Whoever removes a record gives its subscriptions back, so that it happens once. Costs one map operation a change of
 * a connection's name, protocol or subscriptions, none for other commands.
 */
export class Sessions {
  readonly #map: SessionMap;
  readonly #channels: Channels;

  constructor(map: SessionMap, channels: Channels) {
    this.#map = map;
    this.#channels = channels;
  }

  get size(): number {
    return this.#map.size;
  }

  /** False when there is no room for another. */
  save(key: ConnectionKey, record: SessionRecord): boolean {
    try {
      this.#map.set(key, record);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_MAP_FULL') return false;
      throw error;
    }
  }

  find(key: ConnectionKey): SessionRecord | undefined {
    return this.#map.get(key);
  }

  entries(): IterableIterator<[ConnectionKey, SessionRecord]> {
    return this.#map.entries();
  }

  /** Forgets a connection that is closed and gives back what it subscribed to, as its record has it. */
  close(key: ConnectionKey): void {
    const record = this.#map.get(key);
    if (record === undefined || !this.#map.delete(key)) return;
    for (const name of record.channels) this.#channels.leave('channel', name);
    for (const name of record.patterns) this.#channels.leave('pattern', name);
  }

  /**
   * Closes the records of connections that are gone: a worker that was terminated could not close its own. `readOpen`
   * answers the sequences of the open connections, and is called after the records were listed: one that opens
   * meanwhile is not taken for closed. Answers how many were swept. A subscription that its worker had counted but not
   * yet recorded when it was terminated stays in the count.
   */
  sweep(readOpen: () => ReadonlySet<number>): number {
    const recorded = [...this.#map.keys()];
    const open = readOpen();
    const gone = recorded.filter((key) => !open.has(key.sequence));
    for (const key of gone) this.close(key);
    return gone.length;
  }
}
