import { Random } from './random.js';

interface Instrument {
  readonly symbol: string;
  readonly decimals: number;
  readonly quantityDecimals: number;
  /** Price in units of its last decimal. */
  price: number;
  /** The share of messages that are this one's, added up with those before it. */
  readonly upTo: number;
}

type Row = [symbol: string, price: number, decimals: number, quantityDecimals: number, share: number];

const ROWS: readonly Row[] = [
  ['BTCUSDT', 6_180_020, 2, 3, 0.4],
  ['ETHUSDT', 268_512, 2, 3, 0.25],
  ['SOLUSDT', 161_230, 3, 0, 0.12],
  ['BNBUSDT', 51_340, 2, 2, 0.08],
  ['XRPUSDT', 6_123, 4, 1, 0.06],
  ['DOGEUSDT', 10_234, 5, 0, 0.05],
  ['ADAUSDT', 3_412, 4, 0, 0.04],
];

/** As in the recording that the format comes from. */
const QUOTE_SHARE = 0.7;
const TRADE_SHARE = 0.23;
const MAX_LEVELS = 8;

/**
 * Market data out of a seed, in the format of the recordings: best quotes, trades and depth of several symbols whose
 * prices wander. Belongs to one thread. The same seed and times give the same messages.
 */
export class MarketGenerator {
  readonly #random: Random;
  readonly #instruments: Instrument[] = [];
  #update = 5_123_107_839_020;
  #trade = 5_266_583_935;

  constructor(seed: number) {
    this.#random = new Random(seed);
    let upTo = 0;
    for (const [symbol, price, decimals, quantityDecimals, share] of ROWS) {
      this.#instruments.push({ symbol, price, decimals, quantityDecimals, upTo: (upTo += share) });
    }
  }

  static get symbols(): string[] {
    return ROWS.map(([symbol]) => symbol);
  }

  /** The next message as JSON. `timeMs`: milliseconds since 1970. */
  next(timeMs: number): string {
    const random = this.#random;
    const where = random.next();
    const instrument = this.#instruments.find(({ upTo }) => where < upTo) ?? this.#instruments[0]!;
    const what = random.next();
    if (what < QUOTE_SHARE) return this.#quote(instrument, timeMs);
    if (what < QUOTE_SHARE + TRADE_SHARE) return this.#tradeMessage(instrument, timeMs);
    return this.#depth(instrument, timeMs);
  }

  #quote(instrument: Instrument, timeMs: number): string {
    instrument.price = Math.max(10, instrument.price + this.#random.below(7) - 3);
    const bid = this.#price(instrument, -1);
    const ask = this.#price(instrument, 0);
    return (
      `{"stream":"${instrument.symbol.toLowerCase()}@bookTicker","data":{"e":"bookTicker","u":${this.#update++},` +
      `"s":"${instrument.symbol}","b":"${bid}","B":"${this.#quantity(instrument)}",` +
      `"a":"${ask}","A":"${this.#quantity(instrument)}","T":${timeMs},"E":${timeMs}}}`
    );
  }

  #tradeMessage(instrument: Instrument, timeMs: number): string {
    const sold = this.#random.next() < 0.5;
    return (
      `{"stream":"${instrument.symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeMs},"T":${timeMs},` +
      `"s":"${instrument.symbol}","t":${this.#trade++},"p":"${this.#price(instrument, sold ? -1 : 0)}",` +
      `"q":"${this.#quantity(instrument)}","X":"MARKET","m":${sold}}}`
    );
  }

  #depth(instrument: Instrument, timeMs: number): string {
    const first = this.#update;
    this.#update += 1 + this.#random.below(5);
    return (
      `{"stream":"${instrument.symbol.toLowerCase()}@depth@0ms","data":{"e":"depthUpdate","E":${timeMs},"T":${timeMs},` +
      `"s":"${instrument.symbol}","U":${first},"u":${this.#update - 1},"pu":${first - 1},` +
      `"b":[${this.#levels(instrument, -1)}],"a":[${this.#levels(instrument, 1)}]}}`
    );
  }

  #levels(instrument: Instrument, side: number): string {
    const levels: string[] = [];
    for (let i = 1 + this.#random.below(MAX_LEVELS); i > 0; i--) {
      levels.push(`["${this.#price(instrument, side * i)}","${this.#quantity(instrument)}"]`);
    }
    return levels.join(',');
  }

  #price({ price, decimals }: Instrument, offset: number): string {
    return (Math.max(1, price + offset) / 10 ** decimals).toFixed(decimals);
  }

  /** Never zero: a trade of nothing is none. */
  #quantity({ quantityDecimals }: Instrument): string {
    return ((1 + this.#random.below(5000)) / 10 ** quantityDecimals).toFixed(quantityDecimals);
  }
}
