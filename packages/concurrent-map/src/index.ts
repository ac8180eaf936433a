export { ConcurrentMap } from './concurrent-map.js';
export type { ErrorCode } from './errors.js';
export type {
  ConcurrentMapOptions,
  ConnectionKey,
  KeyIn,
  KeyKind,
  KeyOut,
  MapStats,
  SetOptions,
  SharedToken,
  ValueIn,
  ValueKind,
  ValueOut,
} from './types.js';
