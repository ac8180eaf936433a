import type { Connection } from '../index.js';
import type { Reply, Protocol } from './reply.js';
import type { Services } from './services.js';
import type { SessionRecord } from './sessions.js';
import { Subscriptions } from './subscriptions.js';

/** What the command layer uses of a connection. */
export type ClientConnection = Pick<
  Connection<unknown>,
  | 'fd'
  | 'sequence'
  | 'remoteAddress'
  | 'remotePort'
  | 'localAddress'
  | 'localPort'
  | 'write'
  | 'end'
  | 'subscribe'
  | 'unsubscribe'
  | 'setIdleTimeout'
>;

/**
 * One connection's state: protocol, name, subscriptions. Lives on the connection's worker and is used by it alone;
 * what another worker must know of it is in `Sessions`, written by `save`.
 */
export class Client {
  readonly connection: ClientConnection;
  readonly services: Services;
  name = '';
  /** After QUIT: nothing that follows in the same batch is answered. */
  closing = false;
  #protocol: Protocol = 2;
  #subscriptions: Subscriptions | undefined;
  #openedAtMs = Date.now();

  constructor(connection: ClientConnection, services: Services) {
    this.connection = connection;
    this.services = services;
  }

  /** As it was on a worker that is gone. */
  restore(record: SessionRecord): void {
    this.#openedAtMs = record.openedAtMs;
    this.name = record.name;
    this.#protocol = record.protocol;
    const names = this.services.sessions.findSubscriptions(this.connection);
    if (names !== undefined) this.subscriptions.restore(names);
  }

  get reply(): Reply {
    return this.services.reply;
  }

  /** What CLIENT ID answers: no other connection ever has it. */
  get id(): number {
    return this.connection.sequence;
  }

  get protocol(): Protocol {
    return this.#protocol;
  }

  /** Replies from here on, and messages of channels subscribed to already, come as `protocol` has them. */
  speak(protocol: Protocol): void {
    if (protocol === this.#protocol) return;
    this.#protocol = protocol;
    this.reply.protocol = protocol;
    this.#subscriptions?.speak(protocol);
  }

  get subscriptions(): Subscriptions {
    return (this.#subscriptions ??= new Subscriptions(this));
  }

  /** How many channels and patterns the connection subscribes to. */
  get subscribed(): number {
    return this.#subscriptions === undefined ? 0 : this.#subscriptions.count;
  }

  record(): SessionRecord {
    const { remoteAddress, remotePort, localAddress, localPort } = this.connection;
    return {
      address: endpoint(remoteAddress, remotePort),
      localAddress: endpoint(localAddress, localPort),
      openedAtMs: this.#openedAtMs,
      name: this.name,
      protocol: this.#protocol,
      channels: this.#subscriptions?.channels.size ?? 0,
      patterns: this.#subscriptions?.patterns.size ?? 0,
    };
  }

  /** Tells the other workers. False when there is no room for another connection. */
  save(): boolean {
    return this.services.sessions.save(this.connection, this.record());
  }

  /** The same for what it subscribes to. False when there is no room for so many names. */
  saveSubscriptions(): boolean {
    const { channels, patterns } = this.subscriptions;
    const names = { channels: [...channels], patterns: [...patterns] };
    return this.services.sessions.saveSubscriptions(this.connection, names) && this.save();
  }

  /** RESET: as a connection that has just been opened. */
  reset(): void {
    this.#subscriptions?.clear();
    this.name = '';
    this.speak(2);
    this.save();
  }
}

function endpoint(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return 'unix:0';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
