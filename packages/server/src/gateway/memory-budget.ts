import { Stores, type StoreLimits } from './stores.js';

/** How the bound on native memory is shared out. */
export interface MemoryBudget {
  readonly stores: StoreLimits;
  readonly feedBytes: number;
}

const KEYS_SHARE = 1 / 4;
const FEED_SHARE = 1 / 16;
const NAMES_SHARE = 1 / 32;

/** Undefined when the bound leaves the server nothing. */
export function shareOut(maxMemoryBytes: number, maxClients: number): MemoryBudget | undefined {
  const maxKeyBytes = Math.floor(maxMemoryBytes * KEYS_SHARE);
  const feedBytes = Math.floor(maxMemoryBytes * FEED_SHARE);
  const stores = { maxKeyBytes, maxNameBytes: Math.floor(maxMemoryBytes * NAMES_SHARE), maxClients };
  const storeBytes = Stores.plan(stores).reduce((sum, { bytes }) => sum + bytes, 0);
  return storeBytes + feedBytes < maxMemoryBytes ? { stores, feedBytes } : undefined;
}
