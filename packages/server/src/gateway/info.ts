import type { Services } from './services.js';
import { MILLRACE_VERSION, REDIS_VERSION } from './versions.js';

type Section = (services: Services) => Record<string, string | number>;

const SECTIONS: Readonly<Record<string, Section>> = {
  Server: ({ board, settings }) => ({
    redis_version: REDIS_VERSION,
    redis_mode: 'standalone',
    millrace_version: MILLRACE_VERSION,
    node_version: process.versions.node,
    process_id: process.pid,
    tcp_port: board.get('port'),
    uptime_in_seconds: Math.floor((Date.now() - board.get('startedAtMs')) / 1000),
    workers: settings.workers,
  }),
  Clients: ({ sessions, settings }) => ({
    connected_clients: sessions.size,
    maxclients: settings.maxClients,
  }),
  Memory: memorySection,
  Persistence: () => ({ loading: 0 }),
  Stats: ({ board, channels }) => ({
    total_connections_received: board.get('connectionsAccepted'),
    total_commands_processed: board.sum('commands'),
    total_error_replies: board.sum('commandErrors'),
    total_net_input_bytes: board.get('bytesRead'),
    total_net_output_bytes: board.get('bytesWritten'),
    rejected_connections: board.get('connectionsRejected'),
    published_delivered: board.get('publishedDelivered'),
    published_conflated: board.get('publishedConflated'),
    published_dropped: board.get('publishedDropped'),
    pubsub_patterns: channels.patterns().length,
  }),
  Replication: () => ({ role: 'master', connected_slaves: 0 }),
  Feed: feedSection,
  Keyspace: ({ keyspace, settings }) =>
    keyspace.size === 0 ? {} : { db0: `keys=${keyspace.size},maxbytes=${settings.maxKeyBytes}` },
};

/** The server's part is at most a second old. */
function memorySection({ board, settings, storeBytes }: Services): Record<string, string | number> {
  const usedBytes = board.get('serverUsedBytes') + storeBytes();
  return {
    memory_plan_bytes: board.get('memoryPlanBytes'),
    memory_used_bytes: usedBytes,
    used_memory: usedBytes,
    maxmemory: settings.maxMemoryBytes,
    maxmemory_policy: 'noeviction',
  };
}

/** Exact whenever the feed is at rest: read from the feed itself. */
function feedSection({ board, feedStats, settings }: Services): Record<string, string | number> {
  const stats = feedStats?.();
  const dropped = stats === undefined ? 0 : Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  return {
    feed_source: settings.feed,
    feed_state: board.feedState,
    feed_offered: stats?.offered ?? 0,
    feed_delivered: stats?.delivered ?? 0,
    feed_failed: stats?.failed ?? 0,
    feed_conflated: stats?.conflated ?? 0,
    feed_dropped: dropped,
    feed_in_flight: stats?.inFlight ?? 0,
    feed_malformed: board.get('feedMalformed'),
    feed_trades: board.sum('feedTrades'),
    feed_quotes: board.sum('feedQuotes'),
    feed_other: board.sum('feedOther'),
    feed_unreadable: board.sum('feedUnreadable'),
    feed_late: board.sum('feedLate'),
    feed_unstored: board.sum('feedUnstored'),
  };
}

/** The text of INFO: all sections when none is named, else those named, in lower case. */
export function describeServer(services: Services, sections: ReadonlySet<string>): string {
  const all = sections.size === 0 || ['all', 'default', 'everything'].some((name) => sections.has(name));
  return Object.entries(SECTIONS)
    .filter(([name]) => all || sections.has(name.toLowerCase()))
    .map(([name, section]) => {
      const lines = Object.entries(section(services)).map(([key, value]) => `${key}:${value}\r\n`);
      return `# ${name}\r\n${lines.join('')}`;
    })
    .join('\r\n');
}
