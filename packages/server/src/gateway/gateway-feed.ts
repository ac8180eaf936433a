import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Feed } from '@millrace/feed';
import type { Logger } from 'pino';
import type { Server } from '../index.js';
import type { FeedWorkerData } from './feed/feed-worker.js';
import type { FeedSource } from './feed/feed-source.js';
import { FileSource } from './feed/file-source.js';
import { SyntheticSource } from './feed/synthetic-source.js';
import type { Config } from './options.js';
import type { Stores } from './stores.js';

/** Messages that wait for a worker. */
export const FEED_CAPACITY = 8192;
/** The largest that the recordings hold has 42 KB. */
const MAX_MESSAGE_BYTES = 64 * 1024;
const DRAIN_MS = 2000;

/**
 * The feed, its workers and what fills it. Lives on the main thread. A file's messages wait for room, so that none is
 * lost; of a live source's, quotes are conflated by stream and symbol, the rest is dropped when there is no room.
 */
export class GatewayFeed {
  readonly feed: Feed<'u64'>;
  /** The most native bytes that the feed takes with all of its workers. */
  readonly plannedBytes: number;
  readonly #config: Config;
  readonly #maxBytes: number;
  readonly #stores: Stores;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  #consumers: AsyncDisposable | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(config: Config, maxBytes: number, stores: Stores, log: Logger) {
    this.#config = config;
    this.#stores = stores;
    this.#log = log;
    this.#maxBytes = maxBytes;
    this.feed = createFeed(config, maxBytes);
    this.plannedBytes = plannedBytes(config, maxBytes);
    this.feed.on('warn', (report) => log.warn(report, 'a feed worker is slow'));
    this.feed.on('stuck', (report) => log.error(report, 'a feed worker is stuck'));
    this.feed.on('replaced', (report) => log.warn(report, 'a feed worker was replaced'));
    this.feed.on('error', (error) => log.error({ err: error }, 'feed'));
  }

  /** Workers first, so that the first message finds somebody. */
  async start(server: ReturnType<Server['share']>): Promise<void> {
    const workerData: FeedWorkerData = { stores: this.#stores.share(), server };
    this.#consumers = await this.feed.consumeWith({
      filename: join(__dirname, 'feed', 'feed-worker.js'),
      workers: this.#config.feedWorkers,
      workerData,
      dispatch: 'sticky',
    });
    this.#running = this.#run(this.#createSource());
  }

  /** Ends the source, lets the workers finish what has come in, and ends them. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#running;
    const overdue = new AbortController();
    await Promise.race([
      this.feed.drain(),
      sleep(DRAIN_MS, undefined, { signal: overdue.signal }).catch(() => undefined),
    ]);
    overdue.abort();
    await this.#consumers?.[Symbol.asyncDispose]();
    await this.feed.close();
  }

  async #run(source: FeedSource): Promise<void> {
    const { board } = this.#stores;
    board.feedState = 'running';
    try {
      await source.run(this.#abort.signal);
      board.feedState = 'finished';
      if (this.#abort.signal.aborted) return;
      const { offered } = this.feed.stats();
      this.#log.info({ offered, malformed: board.get('feedMalformed') }, 'the feed is at its end');
    } catch (error) {
      board.feedState = 'failed';
      this.#log.error({ err: error }, 'the feed cannot go on');
    }
  }

  #createSource(): FeedSource {
    const { feed, speed, seed } = this.#config;
    if (feed.kind !== 'file') return new SyntheticSource(this.feed, feed.kind === 'none' ? 0 : feed.perSecond, seed);
    const { board } = this.#stores;
    return new FileSource(this.feed, {
      path: feed.path,
      speed,
      capacity: FEED_CAPACITY,
      maxBytes: this.#maxBytes,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      onMalformed: (lines) => board.set('feedMalformed', board.get('feedMalformed') + lines),
    });
  }
}

function createFeed({ feed }: Config, maxBytes: number): Feed<'u64'> {
  const common = { capacity: FEED_CAPACITY, maxMessageBytes: MAX_MESSAGE_BYTES, maxBytes, key: 'u64' } as const;
  return feed.kind === 'file'
    ? new Feed({ ...common, overflow: 'block' })
    : new Feed({ ...common, overflow: 'conflate' });
}

/** A feed's plan counts the consumers it has: one like it is read by as many, here, for as long as it takes to ask. */
function plannedBytes(config: Config, maxBytes: number): number {
  const probe = createFeed(config, maxBytes);
  const readers = Array.from({ length: config.feedWorkers }, () => probe.consume(() => undefined));
  const { totalBytes } = probe.memoryPlan();
  for (const reader of readers) reader[Symbol.dispose]();
  probe.detach();
  return totalBytes;
}
