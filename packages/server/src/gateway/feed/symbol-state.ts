import type { Quote, Trade } from './market-message.js';

const BAR_MS = 1000;

interface Bar {
  /** When the bar begins, milliseconds since 1970. */
  time: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  trades: number;
}

/** What a symbol's worker must know to go on where another stopped. */
export interface SymbolTotals {
  readonly notional: number;
  readonly volume: number;
  readonly priceDecimals: number;
  readonly quantityDecimals: number;
  readonly barVolume: number;
  readonly bar: Bar | undefined;
}

/**
 * One symbol's figures: last price, volume-weighted average price, the current one-second bar, the best quote. Belongs
 * to the worker that has the symbol. Prices are kept as text, digit for digit; averages and volumes are added up in
 * doubles and shown with the decimals they came with.
 */
export class SymbolState {
  readonly symbol: string;
  readonly channel: string;
  last: string | undefined;
  quote: string | undefined;
  #notional = 0;
  #volume = 0;
  #priceDecimals = 0;
  #quantityDecimals = 0;
  #barVolume = 0;
  #bar: Bar | undefined;

  constructor(symbol: string, totals: SymbolTotals | undefined) {
    this.symbol = symbol;
    this.channel = `tick:${symbol}`;
    if (totals === undefined) return;
    this.#notional = totals.notional;
    this.#volume = totals.volume;
    this.#priceDecimals = totals.priceDecimals;
    this.#quantityDecimals = totals.quantityDecimals;
    this.#barVolume = totals.barVolume;
    this.#bar = totals.bar;
  }

  /** False: it came too late for its bar; the other figures have it. */
  trade({ price, quantity, timeMs }: Trade): boolean {
    const amount = Number(quantity);
    this.last = price;
    this.#notional += Number(price) * amount;
    this.#volume += amount;
    this.#priceDecimals = Math.max(this.#priceDecimals, decimalsOf(price));
    this.#quantityDecimals = Math.max(this.#quantityDecimals, decimalsOf(quantity));
    return this.#addToBar(price, amount, timeMs - (timeMs % BAR_MS));
  }

  quoted({ bid, bidQuantity, ask, askQuantity, timeMs }: Quote): void {
    this.quote =
      `{"bid":"${bid}","bidQuantity":"${bidQuantity}","ask":"${ask}","askQuantity":"${askQuantity}",` +
      `"time":${timeMs}}`;
  }

  /** Two decimals more than the prices have; undefined before the first trade of more than nothing. */
  get vwap(): string | undefined {
    if (this.#volume === 0) return undefined;
    return (this.#notional / this.#volume).toFixed(this.#priceDecimals + 2);
  }

  get bar(): string | undefined {
    return this.#bar === undefined ? undefined : JSON.stringify(this.#bar);
  }

  get totals(): SymbolTotals {
    return {
      notional: this.#notional,
      volume: this.#volume,
      priceDecimals: this.#priceDecimals,
      quantityDecimals: this.#quantityDecimals,
      barVolume: this.#barVolume,
      bar: this.#bar,
    };
  }

  /** A trade that comes after its second is over counts in no bar: the bar that is shown never goes back. */
  #addToBar(price: string, amount: number, time: number): boolean {
    let bar = this.#bar;
    if (bar !== undefined && time < bar.time) return false;
    if (bar === undefined || time > bar.time) {
      bar = this.#bar = { time, open: price, high: price, low: price, close: price, volume: '0', trades: 0 };
      this.#barVolume = 0;
    }
    if (Number(price) > Number(bar.high)) bar.high = price;
    if (Number(price) < Number(bar.low)) bar.low = price;
    bar.close = price;
    this.#barVolume += amount;
    bar.volume = this.#barVolume.toFixed(this.#quantityDecimals);
    bar.trades++;
    return true;
  }
}

function decimalsOf(decimal: string): number {
  const point = decimal.indexOf('.');
  return point < 0 ? 0 : decimal.length - point - 1;
}
