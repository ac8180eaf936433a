import { Stores } from '../../dist/gateway/stores.js';

let stores: Stores;
/** As another thread would see the same structures. */
let elsewhere: Stores;

beforeEach(() => {
  stores = Stores.create({ maxKeyBytes: 1024 * 1024, maxClients: 1000 });
  elsewhere = Stores.attach(stores.share());
});

afterEach(() => {
  stores.close();
  elsewhere.close();
});

const record = (channels: string[], patterns: string[] = []) => ({
  address: '127.0.0.1:1',
  localAddress: '127.0.0.1:2',
  openedAtMs: 0,
  name: '',
  protocol: 2 as const,
  channels,
  patterns,
});

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
  const key = { fd: 7, sequence: 3 };
  for (const name of ['a', 'b']) stores.channels.join('channel', name);
  stores.channels.join('pattern', 'p*');
  expect(stores.sessions.save(key, record(['a', 'b'], ['p*']))).toBe(true);
  expect(elsewhere.sessions.size).toBe(1);
  elsewhere.sessions.close(key);
  stores.sessions.close(key);
  expect(stores.channels.names(undefined)).toEqual([]);
  expect(stores.channels.patterns()).toEqual([]);
  expect(stores.sessions.size).toBe(0);
});

test('the sessions of a lost worker are swept, the open ones stay', () => {
  for (const sequence of [1, 2, 3]) {
    stores.channels.join('channel', 'a');
    stores.sessions.save({ fd: 10 + sequence, sequence }, record(['a']));
  }
  expect(stores.sessions.sweep(() => new Set([2]))).toBe(2);
  expect([...stores.sessions.entries()].map(([key]) => key.sequence)).toEqual([2]);
  expect(stores.channels.subscribers('a')).toBe(1);
});

test('a session that opens during the sweep stays', () => {
  const swept = stores.sessions.sweep(() => {
    stores.sessions.save({ fd: 1, sequence: 9 }, record([]));
    return new Set();
  });
  expect(swept).toBe(0);
  expect(stores.sessions.size).toBe(1);
});
