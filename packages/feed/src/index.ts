import type { FeedConsumer, FeedKeyKind } from './types.js';

export type { ErrorCode } from './errors.js';
export { Feed } from './feed.js';
export type {
  FeedBatch,
  FeedConsumer,
  FeedContext,
  FeedEvents,
  FeedKey,
  FeedKeyKind,
  FeedOptions,
  FeedStats,
  PushReport,
  SharedToken,
  WorkerOptions,
  WorkerReport,
} from './types.js';

/** Types a consumer, for the default export of a module given to `consumeWith`. Returns it as it is. */
export function defineConsumer<K extends FeedKeyKind = FeedKeyKind, WorkerData = unknown>(
  consumer: FeedConsumer<K, WorkerData>,
): FeedConsumer<K, WorkerData> {
  return consumer;
}
