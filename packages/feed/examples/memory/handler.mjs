import { performance } from 'node:perf_hooks';

/** Where the vendor's Quote has the time when it was sent, an i64 of the monotonic clock's nanoseconds. */
export const SENT_AT = 8;

/** What all four ways do with a message: it takes so many microseconds. Answers how old the message was, in ms. */
export function handle(view, at, handlerUs) {
  const ageMs = Number(process.hrtime.bigint() - view.getBigInt64(at + SENT_AT, true)) / 1e6;
  const until = performance.now() + handlerUs / 1000;
  while (performance.now() < until);
  return ageMs;
}
