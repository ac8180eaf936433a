import type { Protocol } from './reply.js';

/** What a subscription names: one channel, or every channel that a glob pattern matches. */
export type SubscriptionKind = 'channel' | 'pattern';

const PREFIX = { channel: 'c', pattern: 'p' } as const;
const SPECIAL = /[%*?[\]\\\x00-\x1f\x7f]/g;
const ANY_SPECIAL = /[%*?[\]\\\x00-\x1f\x7f]/;

/**
 * The server's topic for the subscribers of `name` that speak `protocol`: messages look different in RESP2 and RESP3,
 * and a pattern's carry the pattern, so each has a topic of its own. Free of glob characters: it means itself both
 * where it is subscribed to and where it is published to.
 */
export function topicOf(kind: SubscriptionKind, protocol: Protocol, name: string): string {
  return `${PREFIX[kind]}${protocol}:${ANY_SPECIAL.test(name) ? name.replace(SPECIAL, escapeCharacter) : name}`;
}

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
