/** What COMMAND tells of a command. */
export interface Description {
  readonly flags: readonly string[];
  /** Where its keys stand among the parts: first, last (negative: from the end), step; zeros: it has none. */
  readonly keys: readonly [first: number, last: number, step: number];
  readonly categories: readonly string[];
  readonly group: string;
  /** The version of Redis that brought it. */
  readonly since: string;
  readonly summary: string;
}

const NO_KEYS = [0, 0, 0] as const;
const ONE_KEY = [1, 1, 1] as const;
const ALL_KEYS = [1, -1, 1] as const;
const KEYS_AND_VALUES = [1, -1, 2] as const;

const SESSION = 'noscript loading stale fast no_auth allow_busy';
const SERVER = 'loading stale';
const PUBSUB = 'pubsub noscript loading stale';

type Row = [
  flags: string,
  keys: Description['keys'],
  categories: string,
  group: string,
  since: string,
  summary: string,
];

const ROWS: Readonly<Record<string, Row>> = {
  append: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '2.0.0', 'Append to the value of a key'],
  auth: [SESSION, NO_KEYS, 'fast connection', 'connection', '1.0.0', 'Authenticate to the server'],
  client: ['', NO_KEYS, 'slow', 'connection', '2.4.0', 'Container of commands about connections'],
  'client|getname': [
    'noscript loading stale',
    NO_KEYS,
    'slow connection',
    'connection',
    '2.6.9',
    'Name of this connection',
  ],
  'client|id': ['noscript loading stale', NO_KEYS, 'slow connection', 'connection', '5.0.0', 'ID of this connection'],
  'client|info': ['noscript loading stale', NO_KEYS, 'slow connection', 'connection', '6.2.0', 'About this connection'],
  'client|list': ['noscript loading stale', NO_KEYS, 'slow connection', 'connection', '2.4.0', 'The open connections'],
  'client|no-evict': [
    'noscript loading stale',
    NO_KEYS,
    'slow connection',
    'connection',
    '7.0.0',
    'Accepted, without effect',
  ],
  'client|setinfo': [
    'noscript loading stale',
    NO_KEYS,
    'slow connection',
    'connection',
    '7.2.0',
    'Accepted, without effect',
  ],
  'client|setname': [
    'noscript loading stale',
    NO_KEYS,
    'slow connection',
    'connection',
    '2.6.9',
    'Name this connection',
  ],
  command: [SERVER, NO_KEYS, 'slow connection', 'server', '2.8.13', 'Details of the commands'],
  'command|count': [SERVER, NO_KEYS, 'slow connection', 'server', '2.8.13', 'How many commands there are'],
  'command|docs': [SERVER, NO_KEYS, 'slow connection', 'server', '7.0.0', 'Documentation of commands'],
  'command|info': [SERVER, NO_KEYS, 'slow connection', 'server', '2.8.13', 'Details of some commands'],
  config: ['', NO_KEYS, 'slow', 'server', '2.0.0', 'Container of commands about the configuration'],
  'config|get': [
    `admin noscript ${SERVER}`,
    NO_KEYS,
    'admin slow dangerous',
    'server',
    '2.0.0',
    'Values of parameters',
  ],
  dbsize: ['readonly fast', NO_KEYS, 'keyspace read fast', 'server', '1.0.0', 'How many keys there are'],
  decr: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '1.0.0', 'Subtract one from a key'],
  decrby: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '1.0.0', 'Subtract a number from a key'],
  del: ['write', ALL_KEYS, 'keyspace write slow', 'generic', '1.0.0', 'Delete keys'],
  echo: ['loading stale fast', NO_KEYS, 'fast connection', 'connection', '1.0.0', 'Answer with the argument'],
  exists: ['readonly fast', ALL_KEYS, 'keyspace read fast', 'generic', '1.0.0', 'How many of the keys exist'],
  expire: ['write fast', ONE_KEY, 'keyspace write fast', 'generic', '1.0.0', 'Give a key seconds to live'],
  flushall: ['write', NO_KEYS, 'keyspace write slow dangerous', 'server', '1.0.0', 'Delete all keys'],
  flushdb: ['write', NO_KEYS, 'keyspace write slow dangerous', 'server', '1.0.0', 'Delete all keys'],
  get: ['readonly fast', ONE_KEY, 'read string fast', 'string', '1.0.0', 'The value of a key'],
  getset: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '1.0.0', 'Set a key and answer its old value'],
  hello: [SESSION, NO_KEYS, 'fast connection', 'connection', '6.0.0', 'Choose the protocol version'],
  incr: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '1.0.0', 'Add one to a key'],
  incrby: ['write denyoom fast', ONE_KEY, 'write string fast', 'string', '1.0.0', 'Add a number to a key'],
  info: [SERVER, NO_KEYS, 'slow dangerous', 'server', '1.0.0', 'Figures about the server'],
  keys: ['readonly', NO_KEYS, 'keyspace read slow dangerous', 'generic', '1.0.0', 'All keys that match a pattern'],
  mget: ['readonly fast', ALL_KEYS, 'read string fast', 'string', '1.0.0', 'The values of keys'],
  mset: ['write denyoom', KEYS_AND_VALUES, 'write string slow', 'string', '1.0.1', 'Set keys, one after another'],
  persist: ['write fast', ONE_KEY, 'keyspace write fast', 'generic', '2.2.0', 'Let a key live for ever'],
  pexpire: ['write fast', ONE_KEY, 'keyspace write fast', 'generic', '2.6.0', 'Give a key milliseconds to live'],
  ping: ['fast', NO_KEYS, 'fast connection', 'connection', '1.0.0', 'Ask for a sign of life'],
  psubscribe: [PUBSUB, NO_KEYS, 'pubsub slow', 'pubsub', '2.0.0', 'Listen to channels that match patterns'],
  pttl: ['readonly fast', ONE_KEY, 'keyspace read fast', 'generic', '2.6.0', 'Milliseconds a key has to live'],
  publish: ['pubsub loading stale fast', NO_KEYS, 'pubsub fast', 'pubsub', '2.0.0', 'Send a message to a channel'],
  pubsub: ['', NO_KEYS, 'slow', 'pubsub', '2.8.0', 'Container of commands about channels'],
  'pubsub|channels': [
    'pubsub loading stale',
    NO_KEYS,
    'pubsub slow',
    'pubsub',
    '2.8.0',
    'The channels with subscribers',
  ],
  'pubsub|numpat': [
    'pubsub loading stale',
    NO_KEYS,
    'pubsub slow',
    'pubsub',
    '2.8.0',
    'How many patterns have subscribers',
  ],
  'pubsub|numsub': ['pubsub loading stale', NO_KEYS, 'pubsub slow', 'pubsub', '2.8.0', 'Subscribers of channels'],
  punsubscribe: [PUBSUB, NO_KEYS, 'pubsub slow', 'pubsub', '2.0.0', 'Stop listening to patterns'],
  quit: [SESSION, NO_KEYS, 'fast connection', 'connection', '1.0.0', 'Close the connection'],
  reset: [SESSION, NO_KEYS, 'fast connection', 'connection', '6.2.0', 'Make the connection as new'],
  scan: ['readonly', NO_KEYS, 'keyspace read slow', 'generic', '2.8.0', 'Walk the keys, some at a time'],
  select: ['loading stale fast', NO_KEYS, 'fast connection', 'connection', '1.0.0', 'Choose the database: there is 0'],
  set: ['write denyoom', ONE_KEY, 'write string slow', 'string', '1.0.0', 'Set the value of a key'],
  strlen: ['readonly fast', ONE_KEY, 'read string fast', 'string', '2.2.0', 'Length of the value of a key'],
  subscribe: [PUBSUB, NO_KEYS, 'pubsub slow', 'pubsub', '2.0.0', 'Listen to channels'],
  ttl: ['readonly fast', ONE_KEY, 'keyspace read fast', 'generic', '1.0.0', 'Seconds a key has to live'],
  type: ['readonly fast', ONE_KEY, 'keyspace read fast', 'generic', '1.0.0', 'Type of the value of a key'],
  unsubscribe: [PUBSUB, NO_KEYS, 'pubsub slow', 'pubsub', '2.0.0', 'Stop listening to channels'],
};

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));

/** By the command's name, as Redis spells it. */
export const descriptions: ReadonlyMap<string, Description> = new Map(
  Object.entries(ROWS).map(([name, [flags, keys, categories, group, since, summary]]) => [
    name,
    { flags: words(flags), keys, categories: words(categories).map((word) => `@${word}`), group, since, summary },
  ]),
);
