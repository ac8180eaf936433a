import { readFileSync } from 'node:fs';

const PAGE_BYTES = 4096;

/** Bytes of physical memory that this process has. */
export function residentBytes() {
  return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * PAGE_BYTES;
}

/** offered − (delivered + failed + conflated + every dropped + in flight): must be 0 at every instant. */
export function imbalance({ offered, delivered, failed, conflated, dropped, inFlight }) {
  const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  return offered - (delivered + failed + conflated + refused + inFlight);
}
