export type { ErrorCode } from './errors.js';
export type {
  AnyTasks,
  RunOptions,
  TaskContext,
  TaskFunction,
  TaskInput,
  TaskName,
  TaskOutput,
  WorkerOptions,
  WorkerPoolEvents,
  WorkerPoolOptions,
  WorkerPoolStats,
  WorkerReport,
} from './types.js';
export { WorkerPool } from './worker-pool.js';
