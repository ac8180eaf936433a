export type { ErrorCode } from './errors.js';
export { MpmcQueue } from './mpmc-queue.js';
export { SpscRing } from './spsc-ring.js';
export type {
  MpmcQueueOptions,
  Overflow,
  Queue,
  QueueStats,
  SharedToken,
  SpscRingOptions,
  WaitOptions,
} from './types.js';
