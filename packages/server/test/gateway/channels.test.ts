import { Stores } from '../../dist/gateway/stores.js';

let stores: Stores;
/** As another thread would see the same structures. */
let elsewhere: Stores;

beforeEach(() => {
  stores = Stores.create({ maxKeyBytes: 1024 * 1024, maxNameBytes: 8 * 1024 * 1024, maxClients: 1000 });
  elsewhere = Stores.attach(stores.share());
});

afterEach(() => {
  stores.close();
  elsewhere.close();
});

const record = {
  address: '127.0.0.1:1',
  localAddress: '127.0.0.1:2',
  openedAtMs: 0,
  name: '',
  protocol: 2,
  channels: 0,
  patterns: 0,
} as const;

function open(sequence: number, names: { channels?: string[]; patterns?: string[] }): { fd: number; sequence: number } {
  const key = { fd: 100 + sequence, sequence };
  const { channels = [], patterns = [] } = names;
  for (const name of channels) stores.channels.join('channel', name);
  for (const name of patterns) stores.channels.join('pattern', name);
  expect(stores.sessions.save(key, record)).toBe(true);
  expect(stores.sessions.saveSubscriptions(key, { channels, patterns })).toBe(true);
  return key;
}

test('subscribers of one channel are counted over all threads', () => {
  stores.channels.join('channel', 'a');
  elsewhere.channels.join('channel', 'a');
  expect(stores.channels.subscribers('a')).toBe(2);
  stores.channels.leave('channel', 'a');
  elsewhere.channels.leave('channel', 'a');
  expect(stores.channels.subscribers('a')).toBe(0);
  expect(stores.channels.names(undefined)).toEqual([]);
});

test('channels are listed by pattern', () => {
  for (const name of ['news', 'nows', 'olds']) stores.channels.join('channel', name);
  expect(elsewhere.channels.names('n?ws').sort()).toEqual(['news', 'nows']);
  expect(elsewhere.channels.names(undefined).sort()).toEqual(['news', 'nows', 'olds']);
});

test('a change of the patterns is seen on every thread', () => {
  expect(elsewhere.channels.patterns()).toEqual([]);
  stores.channels.join('pattern', 'n*');
  expect(elsewhere.channels.patterns()).toEqual(['n*']);
  stores.channels.join('pattern', 'n*');
  stores.channels.leave('pattern', 'n*');
  expect(elsewhere.channels.patterns()).toEqual(['n*']);
  stores.channels.leave('pattern', 'n*');
  expect(elsewhere.channels.patterns()).toEqual([]);
});

test('there is an end to the patterns', () => {
  let joined = 0;
  while (joined < 100_000 && stores.channels.join('pattern', `pattern-${joined}`)) joined++;
  expect(joined).toBe(4096);
  stores.channels.leave('pattern', 'pattern-0');
  expect(stores.channels.join('pattern', 'another')).toBe(true);
});

test('a session that ends gives back what it subscribed to, once', () => {
  const key = open(3, { channels: ['a', 'b'], patterns: ['p*'] });
  expect(elsewhere.sessions.size).toBe(1);
  expect(elsewhere.sessions.findSubscriptions(key)).toEqual({ channels: ['a', 'b'], patterns: ['p*'] });
  elsewhere.sessions.close(key);
  stores.sessions.close(key);
  expect(stores.channels.names(undefined)).toEqual([]);
  expect(stores.channels.patterns()).toEqual([]);
  expect(stores.sessions.size).toBe(0);
  expect(stores.sessions.findSubscriptions(key)).toBeUndefined();
});

test('the sessions of a lost worker are swept, the open ones stay', () => {
  for (const sequence of [1, 2, 3]) open(sequence, { channels: ['a'] });
  expect(stores.sessions.sweep(() => new Set([2]))).toBe(2);
  expect([...stores.sessions.entries()].map(([key]) => key.sequence)).toEqual([2]);
  expect(stores.channels.subscribers('a')).toBe(1);
});

test('a session that opens during the sweep stays', () => {
  const swept = stores.sessions.sweep(() => {
    open(9, {});
    return new Set();
  });
  expect(swept).toBe(0);
  expect(stores.sessions.size).toBe(1);
});

test('names that there is no room for are refused', () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `${'x'.repeat(100)}${i}`);
  expect(stores.sessions.saveSubscriptions({ fd: 1, sequence: 1 }, { channels: names, patterns: [] })).toBe(false);
});
