import type { Client } from './client.js';
import type { Protocol } from './reply.js';
import { topicOf, type SubscriptionKind } from './topics.js';

/** Names longer than this are refused: the server keeps each name several times. */
export const MAX_NAME_BYTES = 1024;

/**
 * What one connection subscribes to. Used by the connection's worker alone. A subscribed connection has no idle
 * timeout: it is its part to listen. Costs one operation on the shared counts and one on the server's topics a change.
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

  /** Answers undefined, or why not. Subscribing twice is subscribing once. */
  add(kind: SubscriptionKind, name: string): string | undefined {
    const names = this.names(kind);
    if (names.has(name)) return undefined;
    const { connection, protocol, services } = this.#client;
    const limit = services.settings.maxSubscriptions;
    if (this.count >= limit) return `ERR max number of subscriptions reached (${limit} for each connection)`;
    if (name.length > MAX_NAME_BYTES) return `ERR ${kind} name is longer than ${MAX_NAME_BYTES} bytes`;
    if (!services.channels.join(kind, name)) return `ERR max number of ${kind}s reached`;
    try {
      connection.subscribe(topicOf(kind, protocol, name));
    } catch (error) {
      services.channels.leave(kind, name);
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SERVER_SUBSCRIPTIONS') throw error;
      return 'ERR max number of subscriptions reached';
    }
    if (this.count === 0) connection.setIdleTimeout(0);
    names.add(name);
    return undefined;
  }

  delete(kind: SubscriptionKind, name: string): void {
    if (!this.names(kind).delete(name)) return;
    const { connection, protocol, services } = this.#client;
    connection.unsubscribe(topicOf(kind, protocol, name));
    services.channels.leave(kind, name);
    if (this.count === 0) connection.setIdleTimeout(services.settings.idleTimeoutMs);
  }

  clear(): void {
    for (const name of this.channels) this.delete('channel', name);
    for (const name of this.patterns) this.delete('pattern', name);
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
  restore(names: { channels: string[]; patterns: string[] }): void {
    for (const name of names.channels) this.channels.add(name);
    for (const name of names.patterns) this.patterns.add(name);
    this.#subscribe(this.#client.protocol);
    this.#client.connection.setIdleTimeout(0);
  }

  #subscribe(protocol: Protocol): void {
    const { connection } = this.#client;
    for (const name of this.channels) connection.subscribe(topicOf('channel', protocol, name));
    for (const name of this.patterns) connection.subscribe(topicOf('pattern', protocol, name));
  }
}
