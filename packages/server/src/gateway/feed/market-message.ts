/** A trade as the exchange sent it: numbers stay the text they are. */
export interface Trade {
  readonly kind: 'trade';
  readonly symbol: string;
  readonly price: string;
  readonly quantity: string;
  /** Milliseconds since 1970, by the exchange. */
  readonly timeMs: number;
}

/** The best bid and ask. */
export interface Quote {
  readonly kind: 'quote';
  readonly symbol: string;
  readonly bid: string;
  readonly bidQuantity: string;
  readonly ask: string;
  readonly askQuantity: string;
  readonly timeMs: number;
}

const QUOTE_MARK = '"';
const DECIMAL = /^[0-9]{1,20}(\.[0-9]{1,18})?$/;
const SYMBOL = /^[A-Z0-9_]{1,32}$/;
const TIME = /[0-9]{1,16}/y;

/** Undefined when a field is missing or is not what it must be. The fields are searched for, not parsed as JSON. */
export function parseTrade(text: string): Trade | undefined {
  const symbol = textField(text, '"s":"', SYMBOL);
  const price = textField(text, '"p":"', DECIMAL);
  const quantity = textField(text, '"q":"', DECIMAL);
  const timeMs = timeField(text, '"T":');
  if (symbol === undefined || price === undefined || quantity === undefined || timeMs === undefined) return undefined;
  return { kind: 'trade', symbol, price, quantity, timeMs };
}

export function parseQuote(text: string): Quote | undefined {
  const symbol = textField(text, '"s":"', SYMBOL);
  const bid = textField(text, '"b":"', DECIMAL);
  const bidQuantity = textField(text, '"B":"', DECIMAL);
  const ask = textField(text, '"a":"', DECIMAL);
  const askQuantity = textField(text, '"A":"', DECIMAL);
  const timeMs = timeField(text, '"T":');
  if (symbol === undefined || bid === undefined || bidQuantity === undefined) return undefined;
  if (ask === undefined || askQuantity === undefined || timeMs === undefined) return undefined;
  return { kind: 'quote', symbol, bid, bidQuantity, ask, askQuantity, timeMs };
}

function textField(text: string, name: string, form: RegExp): string | undefined {
  const at = text.indexOf(name);
  if (at < 0) return undefined;
  const start = at + name.length;
  const end = text.indexOf(QUOTE_MARK, start);
  if (end < 0) return undefined;
  const value = text.slice(start, end);
  return form.test(value) ? value : undefined;
}

function timeField(text: string, name: string): number | undefined {
  const at = text.indexOf(name);
  if (at < 0) return undefined;
  TIME.lastIndex = at + name.length;
  const found = TIME.exec(text);
  return found === null ? undefined : Number(found[0]);
}
