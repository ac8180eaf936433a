import type { FeedStats } from '@millrace/feed';

/** What the equation of a feed's counts lacks: 0. */
export function imbalance(stats: FeedStats): number {
  const dropped = Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  return stats.offered - stats.delivered - stats.failed - stats.conflated - dropped - stats.inFlight;
}
