import type { Random } from '../../dist/gateway/feed/random.js';
import { pick } from './seed';

/** One command after another, for both servers on one connection each: quoting as in JSON where a word has blanks. */
export const SCRIPT: readonly (readonly string[])[] = `
  PING
  ping hello
  PING a b
  ECHO hello
  ECHO
  FOO a b
  foo
  GET
  get a b
  SET k v
  GET k
  GET nothing
  SET k v EX 100
  SET k v PX 100000
  SET k v EX 0
  SET k v EX -1
  SET k v EX abc
  SET k v EX 1.5
  SET k v EX
  SET k v FOO
  SET k v NX XX
  SET k v XX NX
  SET k v EX 10 PX 10
  SET k v EX 1000 EX 2000
  TTL k
  SET k v KEEPTTL
  TTL k
  SET k v KEEPTTL EX 10
  SET k v EX 10 KEEPTTL
  SET k v EX 9223372036854775807
  SET k v PX 9223372036854775807
  SET k v EX 9223372036854775808
  SET k v EXAT 99999999999
  SET k v PXAT 99999999999999
  SET k v EXAT 0
  SET k v EXAT 1
  GET k
  SET k v GET
  SET k w GET
  SET k x NX
  SET k x NX GET
  SET k x XX
  SET k y XX GET
  SET none x XX
  SET none x XX GET
  SET none x NX GET
  GET none
  SET none2 x nx ex 500
  TTL none2
  GETSET none2 z
  TTL none2
  GETSET none3 z
  MSET a
  MSET a 1 b
  MSET a 1 b 2 a 3
  MGET a b c
  MGET
  DEL a b c a
  DEL
  EXISTS k k nothing
  INCR k
  INCR n
  INCRBY n 5
  INCRBY n abc
  INCRBY n 9223372036854775807
  INCRBY n 9223372036854775808
  DECRBY n -9223372036854775808
  DECRBY n -9223372036854775807
  DECRBY n 3
  DECR n
  SET n 9223372036854775807
  INCR n
  DECR n
  SET n -9223372036854775808
  DECR n
  INCR n
  SET n 9007199254740991
  INCR n
  INCR n
  DECR n
  SET n 007
  INCR n
  SET n -0
  INCR n
  SET n +1
  INCR n
  SET n 1.0
  INCR n
  APPEND n 5
  STRLEN n
  STRLEN nothing
  APPEND new abc
  APPEND new def
  GET new
  EXPIRE new 1000
  INCR new
  APPEND new x
  TTL new
  EXPIRE new abc
  EXPIRE new 1000 FOO
  EXPIRE new 1000 NX
  EXPIRE new 1000 NX XX
  EXPIRE new 1000 NX GT
  EXPIRE new 1000 GT LT
  EXPIRE new 2000 GT
  EXPIRE new 500 GT
  EXPIRE new 500 LT
  EXPIRE new 5000 LT
  EXPIRE new 5000 XX GT
  EXPIRE new 5000 xx lt
  EXPIRE new 9223372036854775807
  EXPIRE new -9223372036854775808
  PEXPIRE new 9223372036854775807
  PEXPIRE new 1000000
  EXPIRE nothing 10
  EXPIRE new
  TTL new
  TTL nothing
  PTTL nothing
  PERSIST new
  PERSIST new
  PERSIST nothing
  TTL new
  PTTL new
  EXPIRE new 10 XX
  EXPIRE new 10 GT
  EXPIRE new 1000 LT
  EXPIRE new 0
  GET new
  SET new v
  PEXPIRE new -5
  EXISTS new
  TYPE new
  TYPE k
  SET k 1
  TYPE k
  DBSIZE
  DBSIZE x
  SELECT 0
  SELECT 1
  SELECT a
  SELECT -1
  SELECT 99999999999
  AUTH x
  AUTH default x
  AUTH u x
  AUTH a b c
  AUTH
  KEYS
  KEYS *
  KEYS [a-
  SCAN
  SCAN abc
  SCAN 0x
  SCAN 0 MATCH
  SCAN 0 COUNT 0
  SCAN 0 COUNT abc
  SCAN 0 COUNT -5
  SCAN 0 FOO 1
  SCAN 0 COUNT 1000 TYPE hash
  SCAN 0 COUNT 1000
  SCAN 0 COUNT 1000 MATCH n* TYPE string
  SCAN 0 count 1000 match n* type STRING
  SCAN 99999999999999999999999
  CLIENT
  CLIENT FOO
  CLIENT SETNAME
  CLIENT SETNAME a b
  CLIENT GETNAME
  CLIENT SETNAME joe
  CLIENT GETNAME
  CLIENT getname x
  CLIENT NO-EVICT on
  CLIENT NO-EVICT foo
  CLIENT LIST foo
  CLIENT LIST TYPE foo
  CLIENT LIST TYPE master
  CLIENT LIST ID
  CLIENT LIST ID abc
  CLIENT LIST ID 999999999
  COMMAND FOO
  COMMAND COUNT a
  COMMAND INFO nosuch
  COMMAND DOCS nosuch
  CONFIG
  CONFIG GET
  CONFIG FOO
  CONFIG GET save
  CONFIG GET SAVE
  CONFIG GET nosuch
  CONFIG GET append[n-p]nly
  INFO nosuch
  HELLO 4
  HELLO 1
  HELLO a
  HELLO 2 FOO
  HELLO 2 AUTH default
  HELLO 2 AUTH u p
  HELLO 2 SETNAME
  PUBLISH a
  PUBLISH a hello
  PUBSUB
  PUBSUB FOO
  PUBSUB CHANNELS
  PUBSUB CHANNELS a b
  PUBSUB NUMSUB
  PUBSUB NUMSUB a b
  PUBSUB NUMPAT
  PUBSUB NUMPAT x
  SUBSCRIBE
  UNSUBSCRIBE
  PUNSUBSCRIBE
  UNSUBSCRIBE nothing
  SUBSCRIBE a b a
  PING
  PING x
  PING x y
  GET a
  CLIENT GETNAME
  FOO
  GET
  SUBSCRIBE c
  PSUBSCRIBE c*
  UNSUBSCRIBE b b
  PUNSUBSCRIBE
  UNSUBSCRIBE a
  UNSUBSCRIBE
  GET a
  PSUBSCRIBE a* a* [bc]?
  RESET
  CLIENT GETNAME
  RESET x
  GET k
  FLUSHDB FOO
  FLUSHDB SYNC ASYNC
  FLUSHDB async
  DBSIZE
  FLUSHALL SYNC
`
  .trim()
  .split('\n')
  .map((line) => line.trim().split(' '));

/** Words that no line can hold. */
export const BINARY_SCRIPT: readonly (readonly string[])[] = [
  ['SET', '\x00\xff\r\n', '\x80\x81\r\n\x00'],
  ['GET', '\x00\xff\r\n'],
  ['STRLEN', '\x00\xff\r\n'],
  ['APPEND', '\x00\xff\r\n', '\xfe'],
  ['GET', '\x00\xff\r\n'],
  ['SET', '', ''],
  ['GET', ''],
  ['EXISTS', ''],
  ['ECHO', ''],
  ['ECHO', '\x00'],
  ['FOO', 'a\r\nb', 'c'],
  ['FO\x00O', 'a\x00b', 'c'],
  ['FO\nO'],
  ['FOO', 'x'.repeat(200), 'y'],
  ['FOO', 'x'.repeat(100), 'y'.repeat(100), 'z'],
  ['F'.repeat(200), 'x'],
  ['', 'x'],
  ['SET', 'k', 'v', 'EX', ' 10'],
  ['SET', 'k', 'v', 'EX', '10 '],
  ['SET', 'n', ' 1'],
  ['INCR', 'n'],
  ['SET', 'n', ''],
  ['INCR', 'n'],
  ['INCRBY', 'n', ''],
  ['SET', 'long', 'x'.repeat(20_000)],
  ['GET', 'long'],
  ['MGET', 'long', 'long', 'n'],
  ['CLIENT', 'SETNAME', 'a b'],
  ['CLIENT', 'SETNAME', 'a\n'],
  ['CLIENT', 'SETNAME', '\xff'],
  ['CLIENT', 'SETNAME', ''],
  ['SCAN', ' 0'],
  ['SCAN', ''],
  ['SELECT', ''],
  ['HELLO', '2', 'SETNAME', 'a b'],
  ['EXPIRE', 'n', '100', 'F\r\nOO'],
  ['PUBLISH', '\x00\xff', '\xff'],
];

const KEYS = ['a', 'b', 'c', 'abc', 'a*c', 'A', '\xff\x00'];
const VALUES = ['', '0', '1', '-1', '10', 'abc', '9223372036854775807', '-9223372036854775808', '\x00\x80', '3.5'];
const NUMBERS = ['0', '1', '-1', '7', '-250', '9223372036854775807', '9007199254740993', 'x', ''];
const PATTERNS = ['*', 'a*', '?', '[a-b]', '[^a]*', '*c', 'a\\*c', '[ab', '[b-a]*', '**a**', 'a[', '', '\\'];
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
  (r) => [
    pick(r, MAKERS)(r)[0]!,
    ...Array.from({ length: r.below(4) }, () => pick(r, [...KEYS, ...NUMBERS, 'NX', 'EX'])),
  ],
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
