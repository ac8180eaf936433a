import type { PublishOptions } from '../../dist/index.js';
import { Broadcast } from '../../dist/gateway/broadcast.js';
import { Stores } from '../../dist/gateway/stores.js';

let stores: Stores;
let broadcast: Broadcast;
let keys: PublishOptions['key'][];

beforeEach(() => {
  stores = Stores.create({ maxKeyBytes: 1024 * 1024, maxNameBytes: 1024 * 1024, maxClients: 10 });
  keys = [];
  broadcast = new Broadcast((_topic, _payload, { key }) => keys.push(key), stores.channels);
  stores.channels.join('channel', 'a');
  stores.channels.join('channel', 'b');
  stores.channels.join('pattern', '*');
});

afterEach(() => {
  stores.close();
});

function keysOf(channel: string, group?: string): PublishOptions['key'][] {
  keys.length = 0;
  broadcast.publish(channel, Buffer.from('x'), group);
  return [...keys];
}

test('a message without a group never replaces another', () => {
  // For the channel and the pattern, in two protocols each.
  expect(keysOf('a')).toEqual([-1, -1, -1, -1]);
});

test('messages of one channel and group replace each other, also for those that subscribe by pattern', () => {
  const first = keysOf('a', 'quote');
  expect(new Set(first).size).toBe(4);
  expect(keysOf('a', 'quote')).toEqual(first);
  for (const others of [keysOf('b', 'quote'), keysOf('a', 'other')]) {
    expect(others.filter((key) => first.includes(key))).toEqual([]);
  }
});
