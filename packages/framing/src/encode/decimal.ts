/** @internal Digits of a non-negative integer. */
export function decimalDigits(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

/** @internal Writes `value` in `digits` digits, with zeros in front, and answers the offset behind them. */
export function writeDecimal(target: Uint8Array, offset: number, value: number, digits: number): number {
  let rest = value;
  for (let at = offset + digits - 1; at >= offset; at--) {
    const next = Math.floor(rest / 10);
    target[at] = 48 + rest - next * 10;
    rest = next;
  }
  return offset + digits;
}
