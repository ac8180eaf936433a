import { decodeToken } from './server-token.js';
import { makeError } from './errors.js';
import { native, type Views } from './native.js';
import { Outbound } from './outbound.js';
import { checkPublish } from './publish-options.js';
import type { Payload, PublishOptions, SharedToken } from './types.js';

/**
 * Publishes to a server's subscribers from any thread of the process.
 *
 * @example
 * const publisher = Publisher.attach(workerData.server); // server.share() on the other thread
 * publisher.publish('tick:BTCUSDT', '61800.20');
 */
export class Publisher implements Disposable {
  readonly #views: Views;
  readonly #outbound: Outbound;
  #closed = false;

  private constructor(views: Views, outbound: Outbound) {
    this.#views = views;
    this.#outbound = outbound;
  }

  /**
   * @throws Error `ERR_SHARED_GONE` when the server is closed, `ERR_SERVER_MEMORY` when it has no room for
   *   another publisher (64 threads, 256 KiB of its memory each)
   */
  static attach(token: SharedToken<'server'>): Publisher {
    const { id, nonce, framing } = decodeToken(token);
    const views = native.publisher(id, nonce);
    if (views === undefined) throw makeError('ERR_SHARED_GONE', 'The server of this token is closed');
    if (views === null) {
      throw makeError('ERR_SERVER_MEMORY', 'The server has no room for another publisher: raise memory.maxBytes');
    }
    return new Publisher(views, new Outbound(views, framing));
  }

  /**
   * @param payload - at most 65,516 bytes, with the topic and what the framing adds
   * @returns how many subscribers it reaches
   * @throws Error `ERR_SERVER_CLOSED` after close()
   */
  publish(topic: string, payload: Payload, options: PublishOptions = {}): number {
    const { key, framed } = checkPublish(topic, payload, options);
    if (this.#closed) throw makeError('ERR_SERVER_CLOSED', 'The publisher is closed: publish before, not after');
    return this.#outbound.publish(topic, payload, key, framed, undefined);
  }

  /** Sends what is pending. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    native.flush(this.#views.id);
    native.detach(this.#views.id, this.#views.bridge, this.#views.arena, this.#views.sent);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
