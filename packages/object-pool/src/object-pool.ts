import { checkBoolean, checkInteger, checkObject, codedError, readToken, sharedGone } from '@millrace/native';
import { getSystemErrorName } from 'node:util';
import { layoutError, type ErrorCode } from './errors.js';
import { native } from './native.js';
import { PlainObjectPool } from './plain-pool.js';
import { KIND, RecordPoolHandle } from './record-pool.js';
import { RecordLayout } from './record.js';
import type {
  Fields,
  PlainPool,
  PlainPoolOptions,
  RecordPool,
  RecordPoolOptions,
  RecordType,
  SharedToken,
} from './types.js';

function openRecords<F extends Fields>(layout: RecordLayout<F>, options: RecordPoolOptions): RecordPool<F> {
  const { capacity, debug = false } = checkObject('options', options);
  const most = Math.min(native.maxCapacity, Math.floor(native.maxBytes / layout.byteLength));
  checkInteger('options.capacity', capacity, 1, most);
  checkBoolean('options.debug', debug);
  const handle = native.open(layout.byteLength, capacity, layout.shape);
  if (handle >= 0) return new RecordPoolHandle(layout, handle, debug);
  const code = getSystemErrorName(handle) as ErrorCode;
  const message = `${code}: no address space for ${capacity} records, mmap. Lower capacity, or raise "ulimit -v"`;
  throw codedError(code, message, { errno: handle, syscall: 'mmap' });
}

function attachRecords<F extends Fields>(token: SharedToken<typeof KIND, F>): RecordPool<F> {
  const { id, nonce } = readToken(KIND, token, { copy: native.copy, package: '@millrace/object-pool' });
  const layout = new RecordLayout(token.shape as F);
  const handle = native.attach(id, nonce, layout.byteLength, layout.shape);
  if (handle === -1) throw sharedGone(KIND);
  if (handle < 0) throw layoutError();
  return new RecordPoolHandle(layout, handle, false);
}

/**
 * Two kinds of pool by one name: of records, which lie in native memory and may be shared by all threads, and of plain
 * objects of one thread.
 *
 * Any thread may use its own handle of a record pool; a plain pool is its thread's. Records own `capacity` times
 * `byteLength` bytes of native memory at most, and 4 bytes each beside them, until the last handle is closed. Acquiring
 * and releasing a record costs a native call each, and allocates nothing once the record's view is there.
 *
 * Free records stand in caches of the threads, behind them in R. K. Treiber's stack with a tagged head.
 *
 * @example
 * const Tick = record({ symbol: 'ascii16', price: 'f64', timeNs: 'u64' });
 * const pool = new ObjectPool(Tick, { capacity: 1024 });
 * const tick = pool.acquire();
 * if (tick !== undefined) {
 *   tick.price = 1.5;
 *   pool.release(tick);
 * }
 */
class AnyPool {
  /** @throws TypeError, RangeError for options; `ENOMEM` when the address space is used up */
  constructor(first: RecordLayout | PlainPoolOptions<object>, options: RecordPoolOptions) {
    if (first instanceof RecordLayout) return openRecords(first, options);
    return new PlainObjectPool(first);
  }

  /**
   * A handle for this thread on a record pool of another one.
   *
   * @param token - what `share()` answered on a thread of this process
   * @throws ERR_SHARED_GONE if no thread has it open, ERR_LAYOUT_MISMATCH if another copy of this package made it
   */
  static attach<F extends Fields>(token: SharedToken<'record-pool', F>): RecordPool<F> {
    return attachRecords(token);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof RecordPoolHandle || value instanceof PlainObjectPool;
  }
}

export const ObjectPool = AnyPool as unknown as {
  /** A pool of records. @throws TypeError, RangeError for options; `ENOMEM` when the address space is used up */
  new <F extends Fields>(record: RecordType<F>, options: RecordPoolOptions): RecordPool<F>;
  /** A pool of plain objects. @throws TypeError, RangeError for options */
  new <T extends object>(options: PlainPoolOptions<T>): PlainPool<T>;
  /**
   * A handle for this thread on a record pool of another one.
   *
   * @param token - what `share()` answered on a thread of this process
   * @throws ERR_SHARED_GONE if no thread has it open, ERR_LAYOUT_MISMATCH if another copy of this package made it
   */
  attach<F extends Fields>(token: SharedToken<'record-pool', F>): RecordPool<F>;
};
