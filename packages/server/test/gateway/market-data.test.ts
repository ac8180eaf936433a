import { BurstSchedule } from '../../dist/gateway/feed/burst-schedule.js';
import { FeedKeys } from '../../dist/gateway/feed/feed-keys.js';
import { MarketGenerator } from '../../dist/gateway/feed/market-generator.js';
import { parseQuote, parseTrade } from '../../dist/gateway/feed/market-message.js';
import { messageStart, receivedMs } from '../../dist/gateway/feed/recorded-line.js';
import { StreamHeader } from '../../dist/gateway/feed/stream-header.js';

const TRADE =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,' +
  '"p":"61800.30","q":"0.006","X":"MARKET","m":false}}';
const QUOTE =
  '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","b":"61800.20",' +
  '"B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256313}}';

const headerOf = (text: string): StreamHeader => new StreamHeader().read(Buffer.from(text), 0, text.length);

test('a trade keeps its digits', () => {
  expect(parseTrade(TRADE)).toEqual({
    kind: 'trade',
    symbol: 'BTCUSDT',
    price: '61800.30',
    quantity: '0.006',
    timeMs: 1723161256321,
  });
});

test('a quote keeps its digits', () => {
  expect(parseQuote(QUOTE)).toEqual({
    kind: 'quote',
    symbol: 'BTCUSDT',
    bid: '61800.20',
    bidQuantity: '2.507',
    ask: '61800.30',
    askQuantity: '2.510',
    timeMs: 1723161256313,
  });
});

test.each([
  TRADE.replace('"p":"61800.30"', '"p":"x"'),
  TRADE.replace('"p":"61800.30"', '"p":"-1"'),
  TRADE.replace('"p":"61800.30",', ''),
  TRADE.replace('"s":"BTCUSDT"', '"s":"btc usdt"'),
  TRADE.replace('"T":1723161256321', '"T":"now"'),
  TRADE.slice(0, 100),
  '{}',
])('what is no trade is none: %s', (text) => {
  expect(parseTrade(text)).toBeUndefined();
});

test.each([
  [TRADE, 'trade'],
  [QUOTE, 'quote'],
  ['{"stream":"btcusdt@depth@0ms","data":{}}', 'depth'],
  ['{"stream":"btcusdt@markPrice"}', 'other'],
  ['{"lastUpdateId":1}', 'other'],
  ['{"stream":"', 'other'],
  ['{"stream":"btcusdt', 'other'],
  ['', 'other'],
])('%s is of kind %s', (text, kind) => {
  expect(headerOf(text).kind).toBe(kind);
});

test('the messages of a symbol have one lower half of the key; only quotes have one key', () => {
  const keys = new FeedKeys();
  const low = (key: bigint): bigint => key & 0xffffffffn;
  const [trade, quote] = [headerOf(TRADE), headerOf(QUOTE)];
  const trades = [keys.keyOf(trade), keys.keyOf(trade)];
  const quotes = [keys.keyOf(quote), keys.keyOf(quote)];
  expect(new Set([...trades, ...quotes].map(low)).size).toBe(1);
  expect(quotes[0]).toBe(quotes[1]);
  expect(new Set([...trades, quotes[0]]).size).toBe(3);
  expect(trades.map((key) => key >> 63n)).toEqual([1n, 1n]);
  expect(quotes[0]! >> 63n).toBe(0n);
  const other = headerOf(QUOTE.replace('btcusdt', 'ethusdt'));
  expect(low(keys.keyOf(other))).not.toBe(low(quotes[0]!));
});

test('two symbols of one lower half have quotes of two keys', () => {
  const keys = new FeedKeys();
  const [one, other] = ['liquid', 'costarring'].map((symbol) => headerOf(`{"stream":"${symbol}@bookTicker"}`));
  expect(one!.symbolHash).toBe(other!.symbolHash);
  expect(keys.keyOf(one!)).not.toBe(keys.keyOf(other!));
});

test.each([
  [`1723161255088169167 ${TRADE}`, 20],
  ['1723161255088169167 {}', 20],
  [`172316125508816916 ${TRADE}`, -1],
  [`1723161255088169167${TRADE}`, -1],
  [`172316125508816916x ${TRADE}`, -1],
  [`1723161255088169167 ${TRADE.slice(0, -1)}x`, -1],
  ['1723161255088169167 ', -1],
  ['', -1],
])('where the message of %s begins', (text, start) => {
  expect(messageStart({ bytes: Buffer.from(text), start: 0, end: text.length })).toBe(start);
});

test('the time of receipt is exact to a microsecond', () => {
  expect(receivedMs({ bytes: Buffer.from('x1723161255088169167 {}'), start: 1, end: 23 })).toBe(1723161255088.169);
});

test('one seed gives one market, with every kind of message and every symbol', () => {
  const market = (seed: number): string[] => {
    const generator = new MarketGenerator(seed);
    return Array.from({ length: 3000 }, (_, i) => generator.next(1_723_161_256_000 + i));
  };
  expect(market(1)).toEqual(market(1));
  expect(market(1)).not.toEqual(market(2));
  const symbols = new Set<string>();
  const kinds = new Map<string, number>();
  for (const text of market(3)) {
    const message = JSON.parse(text) as { data: { s: string } };
    const { kind } = headerOf(text);
    symbols.add(message.data.s);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (kind === 'trade') expect(parseTrade(text)).toBeDefined();
    if (kind === 'quote') expect(parseQuote(text)).toBeDefined();
  }
  expect([...symbols].sort()).toEqual(MarketGenerator.symbols.sort());
  expect([...kinds.keys()].sort()).toEqual(['depth', 'quote', 'trade']);
});

test('the rate holds over each second, and a burst in it is four times as dense', () => {
  const schedule = new BurstSchedule(10_000, 7);
  for (let second = 0; second < 20; second++) {
    expect(schedule.due(second)).toBe(10_000 * second);
    const perTick: number[] = [];
    for (let i = 0; i < 100; i++) {
      perTick.push(schedule.due(second + (i + 1) / 100) - schedule.due(second + i / 100));
    }
    expect(Math.max(...perTick)).toBeGreaterThanOrEqual(399);
    expect(Math.min(...perTick)).toBeLessThanOrEqual(26);
    expect(Math.min(...perTick)).toBeGreaterThanOrEqual(24);
  }
});
