import type { Trade } from '../../dist/gateway/feed/market-message.js';
import { SymbolState } from '../../dist/gateway/feed/symbol-state.js';

const trade = (price: string, quantity: string, timeMs: number): Trade => ({
  kind: 'trade',
  symbol: 'X',
  price,
  quantity,
  timeMs,
});

const barOf = (state: SymbolState): unknown => JSON.parse(state.bar!);

test('before the first trade there is nothing', () => {
  const state = new SymbolState('X', undefined);
  expect([state.last, state.vwap, state.bar, state.quote]).toEqual([undefined, undefined, undefined, undefined]);
});

test('the last price is the text it came as', () => {
  const state = new SymbolState('X', undefined);
  state.trade(trade('61800.30', '1', 1000));
  state.trade(trade('61800.10', '1', 1000));
  expect(state.last).toBe('61800.10');
});

test('the average is weighted by volume', () => {
  const state = new SymbolState('X', undefined);
  state.trade(trade('10.00', '1', 1000));
  state.trade(trade('20.00', '3', 1000));
  expect(state.vwap).toBe('17.5000');
});

test('a bar has the trades of one second by the exchange', () => {
  const state = new SymbolState('X', undefined);
  state.trade(trade('9', '100', 1999));
  for (const [price, quantity, time] of [
    ['10.5', '1.5', 2000],
    ['9.9', '0.25', 2500],
    ['100.1', '1', 2600],
    ['11', '1', 2999],
  ] as const) {
    state.trade(trade(price, quantity, time));
  }
  expect(barOf(state)).toEqual({
    time: 2000,
    open: '10.5',
    high: '100.1',
    low: '9.9',
    close: '11',
    volume: '3.75',
    trades: 4,
  });
});

test('a trade that comes too late does not bring an old bar back, and says so', () => {
  const state = new SymbolState('X', undefined);
  expect(state.trade(trade('10', '1', 2000))).toBe(true);
  expect(state.trade(trade('99', '1', 1999))).toBe(false);
  expect(barOf(state)).toMatchObject({ time: 2000, high: '10', trades: 1 });
  expect(state.last).toBe('99');
});

test('another worker goes on where one stopped', () => {
  const trades = [trade('10.00', '1.5', 2000), trade('20.0', '3', 2100), trade('30.5', '0.25', 2200)];
  const whole = new SymbolState('X', undefined);
  for (const each of trades) whole.trade(each);
  const first = new SymbolState('X', undefined);
  first.trade(trades[0]!);
  first.trade(trades[1]!);
  const second = new SymbolState('X', structuredClone(first.totals));
  second.trade(trades[2]!);
  expect([second.vwap, barOf(second)]).toEqual([whole.vwap, barOf(whole)]);
});
