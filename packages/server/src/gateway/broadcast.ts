import type { PublishOptions } from '../index.js';
import type { Channels } from './channels.js';
import { globMatches } from './glob.js';
import { topicOf, type SubscriptionKind } from './topics.js';

export type PublishTopic = (topic: string, payload: Uint8Array, options: PublishOptions) => number;

const ARRAY = 0x2a;
const PUSH = 0x3e;

const SCRATCH_BYTES = 4096;
/** The server's conflation key of messages that neither replace others nor are replaced. */
const NEVER_REPLACED = -1;

/**
 * Publishes a message to a channel's subscribers and to those of each pattern that matches it, in RESP2 and RESP3.
 * Belongs to one thread; owns a scratch buffer. Costs a look at the channel's count and, where somebody listens, one
 * message and two publications; the same again for each matching pattern. A pattern that does not match costs a
 * comparison.
 */
export class Broadcast {
  readonly #publish: PublishTopic;
  readonly #channels: Channels;
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);

  constructor(publish: PublishTopic, channels: Channels) {
    this.#publish = publish;
    this.#channels = channels;
  }

  /** Whether anybody would get what is published to `channel`. */
  hasAudience(channel: string): boolean {
    return (
      this.#channels.subscribers(channel) > 0 ||
      this.#channels.patterns().some((pattern) => globMatches(pattern, channel))
    );
  }

  /**
   * Answers how many subscribers it reached. `group`: for a subscriber that is too slow, a newer message replaces an
   * older one of the same channel and group. Without one no message is replaced: who is too far behind is disconnected.
   */
  publish(channel: string, payload: Uint8Array, group?: string): number {
    let reached = 0;
    if (this.#channels.subscribers(channel) > 0) {
      reached += this.#send('channel', channel, group, ['message', channel], payload);
    }
    for (const pattern of this.#channels.patterns()) {
      if (!globMatches(pattern, channel)) continue;
      const channelGroup = group && `${channel} ${group}`;
      reached += this.#send('pattern', pattern, channelGroup, ['pmessage', pattern, channel], payload);
    }
    return reached;
  }

  #send(kind: SubscriptionKind, name: string, group: string | undefined, head: string[], payload: Uint8Array): number {
    const message = this.#compose(head, payload);
    let reached = 0;
    for (const protocol of [2, 3] as const) {
      const topic = topicOf(kind, protocol, name);
      message[0] = protocol === 2 ? ARRAY : PUSH;
      reached += this.#publish(topic, message, {
        framed: false,
        key: group === undefined ? NEVER_REPLACED : `${topic} ${group}`,
      });
    }
    return reached;
  }

  /** The message as RESP2 has it; RESP3 differs in the first byte. */
  #compose(head: string[], payload: Uint8Array): Uint8Array {
    const parts = head.map((part) => `$${part.length}\r\n${part}\r\n`).join('');
    const start = `*${head.length + 1}\r\n${parts}$${payload.length}\r\n`;
    const length = start.length + payload.length + 2;
    const message = length <= SCRATCH_BYTES ? this.#scratch.subarray(0, length) : Buffer.allocUnsafe(length);
    message.write(start, 0, 'latin1');
    message.set(payload, start.length);
    message[length - 2] = 0x0d;
    message[length - 1] = 0x0a;
    return message;
  }
}
