import type { Client } from './client.js';
import type { Protocol } from './reply.js';
import type { SubscriptionRecord } from './sessions.js';
import { topicOf, type SubscriptionKind } from './topics.js';

/** Names longer than this are refused: the server keeps each name several times. */
export const MAX_NAME_BYTES = 1024;
const TOO_MANY = 'ERR max number of subscriptions reached';

/** What became of a list of names. */
export interface SubscribeOutcome {
  /** For each name that is subscribed to now, how many subscriptions there were with it. */
  readonly counts: readonly number[];
  /** Why the name behind those was refused; undefined: all are subscribed to. */
  readonly refused: string | undefined;
}

/**
 * What one connection subscribes to. Used by the connection's worker alone. A subscribed connection has no idle
 * timeout: it is its part to listen. Costs one operation on the shared counts and one on the server's topics a change,
 * and the record of all names once a command.
 */
export class Subscriptions {
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  get count(): number {
    return this.channels.size + this.patterns.size;
  }

  names(kind: SubscriptionKind): Set<string> {
    return kind === 'channel' ? this.channels : this.patterns;
  }

  /** Subscribing twice is subscribing once. Up to the first name that is refused, or none if they cannot be recorded. */
  add(kind: SubscriptionKind, names: readonly string[]): SubscribeOutcome {
    const had = new Set(this.names(kind));
    const counts: number[] = [];
    let refused: string | undefined;
    for (const name of names) {
      refused = this.names(kind).has(name) ? undefined : this.#join(kind, name);
      if (refused !== undefined) break;
      counts.push(this.count);
    }
    if (this.#client.saveSubscriptions()) return { counts, refused };
    this.#removeAll(
      kind,
      names.filter((name) => !had.has(name)),
    );
    return { counts: [], refused: TOO_MANY };
  }

  /** Answers how many are left after each name. */
  delete(kind: SubscriptionKind, names: readonly string[]): number[] {
    const counts = names.map((name) => {
      this.#leave(kind, name);
      return this.count;
    });
    this.#client.saveSubscriptions();
    return counts;
  }

  clear(): void {
    this.#removeAll('channel', [...this.channels]);
    this.#removeAll('pattern', [...this.patterns]);
  }

  /** Moves to the topics of another protocol. A message published in between may come in both forms. */
  speak(protocol: Protocol): void {
    this.#subscribe(protocol);
    const { connection } = this.#client;
    const former = protocol === 2 ? 3 : 2;
    for (const name of this.channels) connection.unsubscribe(topicOf('channel', former, name));
    for (const name of this.patterns) connection.unsubscribe(topicOf('pattern', former, name));
  }

  /** On a new worker, after the old one was replaced: the counts still stand. */
  restore(record: SubscriptionRecord): void {
    for (const name of record.channels) this.channels.add(name);
    for (const name of record.patterns) this.patterns.add(name);
    this.#subscribe(this.#client.protocol);
    this.#client.connection.setIdleTimeout(0);
  }

  /** Answers undefined, or why not. */
  #join(kind: SubscriptionKind, name: string): string | undefined {
    const { connection, protocol, services } = this.#client;
    if (this.count >= services.settings.maxSubscriptions) return TOO_MANY;
    if (name.length > MAX_NAME_BYTES) return `ERR ${kind} name is longer than ${MAX_NAME_BYTES} bytes`;
    if (!services.channels.join(kind, name)) return `ERR max number of ${kind}s reached`;
    try {
      connection.subscribe(topicOf(kind, protocol, name));
    } catch (error) {
      services.channels.leave(kind, name);
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SERVER_SUBSCRIPTIONS') throw error;
      return TOO_MANY;
    }
    if (this.count === 0) connection.setIdleTimeout(0);
    this.names(kind).add(name);
    return undefined;
  }

  #leave(kind: SubscriptionKind, name: string): void {
    if (!this.names(kind).delete(name)) return;
    const { connection, protocol, services } = this.#client;
    connection.unsubscribe(topicOf(kind, protocol, name));
    services.channels.leave(kind, name);
    if (this.count === 0) connection.setIdleTimeout(services.settings.idleTimeoutMs);
  }

  #removeAll(kind: SubscriptionKind, names: readonly string[]): void {
    for (const name of names) this.#leave(kind, name);
    this.#client.saveSubscriptions();
  }

  #subscribe(protocol: Protocol): void {
    const { connection } = this.#client;
    for (const name of this.channels) connection.subscribe(topicOf('channel', protocol, name));
    for (const name of this.patterns) connection.subscribe(topicOf('pattern', protocol, name));
  }
}
