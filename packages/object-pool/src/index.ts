export type { ErrorCode } from './errors.js';
export { ObjectPool } from './object-pool.js';
export { record } from './record.js';
export type {
  Column,
  Fields,
  FieldType,
  FieldValue,
  PlainPool,
  PlainPoolOptions,
  RecordPool,
  RecordPoolOptions,
  RecordType,
  RecordView,
  SharedToken,
} from './types.js';
