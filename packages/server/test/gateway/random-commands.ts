import type { Random } from '../../dist/gateway/feed/random.js';
import { pick } from './seed';

const KEYS = ['a', 'b', 'c', 'abc', 'a*c', 'A', '\xff\x00'];
const VALUES = ['', '0', '1', '-1', '10', 'abc', '9223372036854775807', '-9223372036854775808', '\x00\x80', '3.5'];
const NUMBERS = ['0', '1', '-1', '7', '-250', '9223372036854775807', '9007199254740993', 'x', ''];
const PATTERNS = ['*', 'a*', '?', '[a-b]', '[^a]*', '*c', 'a\\*c', '[ab', '[b-a]*', '**a**', 'a[', '', '\\'];
/** No short time among them: a key must not expire on one server first. */
const ANY_WORDS = [...KEYS, '0', '-1', '99500', '9223372036854775807', 'x', '', 'NX', 'EX'];
const EXPIRY_OPTIONS = ['NX', 'XX', 'GT', 'LT'];

type Maker = (random: Random) => string[];

const MAKERS: readonly Maker[] = [
  (r) => ['GET', pick(r, KEYS)],
  (r) => ['SET', pick(r, KEYS), pick(r, VALUES), ...setOptions(r)],
  (r) => ['SET', pick(r, KEYS), pick(r, VALUES)],
  (r) => ['GETSET', pick(r, KEYS), pick(r, VALUES)],
  (r) => ['MGET', pick(r, KEYS), pick(r, KEYS), pick(r, KEYS)],
  (r) => ['MSET', pick(r, KEYS), pick(r, VALUES), pick(r, KEYS), pick(r, VALUES)],
  (r) => ['DEL', pick(r, KEYS), pick(r, KEYS)],
  (r) => ['EXISTS', pick(r, KEYS), pick(r, KEYS)],
  (r) => [pick(r, ['INCR', 'DECR', 'incr']), pick(r, KEYS)],
  (r) => [pick(r, ['INCRBY', 'DECRBY']), pick(r, KEYS), pick(r, NUMBERS)],
  (r) => ['APPEND', pick(r, KEYS), pick(r, VALUES)],
  (r) => ['STRLEN', pick(r, KEYS)],
  (r) => ['EXPIRE', pick(r, KEYS), someSeconds(r), ...(r.below(2) === 0 ? [pick(r, EXPIRY_OPTIONS)] : [])],
  (r) => ['PEXPIRE', pick(r, KEYS), `${someSeconds(r)}000`, ...(r.below(2) === 0 ? [pick(r, EXPIRY_OPTIONS)] : [])],
  (r) => [pick(r, ['TTL', 'PTTL']), pick(r, KEYS)],
  (r) => ['PERSIST', pick(r, KEYS)],
  (r) => ['TYPE', pick(r, KEYS)],
  () => ['DBSIZE'],
  (r) => ['KEYS', pick(r, PATTERNS)],
  (r) => ['SCAN', '0', 'COUNT', '1000', 'MATCH', pick(r, PATTERNS)],
  (r) => ['PUBSUB', 'CHANNELS', pick(r, PATTERNS)],
  (r) => (r.below(20) === 0 ? ['FLUSHALL'] : ['PING']),
  // Anything with anything: mostly errors.
  (r) => [pick(r, MAKERS)(r)[0]!, ...Array.from({ length: r.below(4) }, () => pick(r, ANY_WORDS))],
];

/** Far from each other: which of two is longer must not depend on the moment a command arrives. */
function someSeconds(random: Random): string {
  return random.below(4) === 0 ? pick(random, ['-1', '0', 'x']) : String(1000 * (1 + random.below(1000)));
}

function setOptions(random: Random): string[] {
  const choices = [['NX'], ['XX'], ['GET'], ['KEEPTTL'], ['EX', someSeconds(random)], ['PX', '1000000'], ['get']];
  return Array.from({ length: 1 + random.below(3) }, () => pick(random, choices)).flat();
}

export function randomCommand(random: Random): string[] {
  return pick(random, MAKERS)(random);
}
