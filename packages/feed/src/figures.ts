import type { NativeFeed } from './native.js';
import type { FeedStats } from './types.js';

export interface MemoryPlan {
  totalBytes: number;
  parts: { name: string; bytes: number }[];
}

export function statsOf(native: NativeFeed): FeedStats {
  const {
    newest,
    oldest,
    sampled,
    timeout,
    closed,
    waiting,
    leased,
    p50,
    p99,
    max,
    pushP50,
    pushP99,
    pushMax,
    ...counts
  } = native.stats();
  return {
    offered: counts.offered,
    accepted: counts.accepted,
    delivered: counts.delivered,
    failed: counts.failed,
    conflated: counts.conflated,
    dropped: { newest, oldest, sampled, timeout, closed },
    inFlight: waiting + leased,
    depth: waiting,
    highWater: counts.highWater,
    latencyNs: { p50, p99, max },
    pushNs: { p50: pushP50, p99: pushP99, max: pushMax },
  };
}

export function planOf(native: NativeFeed): MemoryPlan {
  const parts = Object.entries(native.memoryPlan()).map(([name, bytes]) => ({ name, bytes }));
  return { totalBytes: parts.reduce((total, { bytes }) => total + bytes, 0), parts };
}
