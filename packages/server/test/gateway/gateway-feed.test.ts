import { pino } from 'pino';
import { GatewayFeed } from '../../dist/gateway/gateway-feed.js';
import type { Config } from '../../dist/gateway/options.js';
import { Stores } from '../../dist/gateway/stores.js';

test.each([1, 3])('the planned bytes are those of the feed with its %i workers', async (feedWorkers) => {
  const stores = Stores.create({ maxKeyBytes: 1024 * 1024, maxNameBytes: 1024 * 1024, maxClients: 10 });
  const config = { feed: { kind: 'synthetic', perSecond: 1 }, feedWorkers, seed: 1 } as Config;
  const { feed, plannedBytes } = new GatewayFeed(config, 4 * 1024 * 1024, stores, pino({ level: 'silent' }));
  const readers = Array.from({ length: feedWorkers }, () => feed.consume(() => undefined));
  expect(plannedBytes).toBe(feed.memoryPlan().totalBytes);
  for (const reader of readers) reader[Symbol.dispose]();
  await feed.close();
  stores.close();
});
