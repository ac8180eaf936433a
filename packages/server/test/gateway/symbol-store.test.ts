import { setImmediate as nextTurn } from 'node:timers/promises';
import { SymbolState } from '../../dist/gateway/feed/symbol-state.js';
import { SymbolStore } from '../../dist/gateway/feed/symbol-store.js';
import { Stores } from '../../dist/gateway/stores.js';

let stores: Stores;
let store: SymbolStore;
let unstored: number;
let isFull: boolean;

beforeEach(() => {
  stores = Stores.create({ maxKeyBytes: 1024 * 1024, maxNameBytes: 1024 * 1024, maxClients: 10 });
  unstored = 0;
  isFull = false;
  const keyspace = {
    put(key: string, value: Uint8Array): void {
      if (isFull) throw Object.assign(new Error('full'), { code: 'ERR_MAP_FULL' });
      stores.keyspace.put(key, value);
    },
  };
  store = new SymbolStore({ keyspace, totals: stores.totals }, (symbols) => (unstored += symbols));
});

afterEach(() => {
  store.close();
  stores.close();
});

function traded(symbol: string, price: string): SymbolState {
  const state = new SymbolState(symbol, undefined);
  state.trade({ kind: 'trade', symbol, price, quantity: '2', timeMs: 1000 });
  return state;
}

const read = (key: string): string | undefined => stores.keyspace.get(key)?.toString();

test('a symbol has its figures under its keys, and its totals', () => {
  store.write([traded('A', '5.0')]);
  expect([read('last:A'), read('vwap:A'), read('quote:A')]).toEqual(['5.0', '5.000', undefined]);
  expect(read('bar:A')).toContain('"trades":1');
  expect(stores.totals.get('A')).toMatchObject({ notional: 10, volume: 2 });
});

test('a symbol that found no room is written when there is room, without another message', async () => {
  isFull = true;
  const state = traded('A', '5.0');
  store.write([state]);
  store.write([state]);
  expect([unstored, read('bar:A')]).toEqual([1, undefined]);
  expect(stores.totals.get('A')).toMatchObject({ volume: 2 });
  isFull = false;
  while (read('bar:A') === undefined) await nextTurn();
  expect(read('last:A')).toBe('5.0');
});

test('the next batch brings what found no room before', () => {
  isFull = true;
  store.write([traded('A', '5.0'), traded('B', '6.0')]);
  isFull = false;
  store.write([traded('C', '7.0')]);
  expect(['last:A', 'last:B', 'last:C'].map(read)).toEqual(['5.0', '6.0', '7.0']);
});
