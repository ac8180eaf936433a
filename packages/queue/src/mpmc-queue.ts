import { checkInteger, checkObject, checkOneOf } from '@millrace/native';
import { MessageQueue } from './message-queue.js';
import { type Handle, native } from './native.js';
import { attached, opened } from './open.js';
import { Attached } from './queue-handle.js';
import type { MpmcQueueOptions, Overflow, SharedToken } from './types.js';

const KIND = 'mpmc-queue';
const NAMES = { kind: KIND, copy: native.copyOfQueues, maxOption: 'messageBytes' } as const;
/** In the order of QueueOverflow in millrace/queue/byte_queue.h. */
const POLICIES: readonly Overflow[] = ['reject', 'drop-oldest', 'drop-newest'];

/**
 * A bounded queue of messages: any number of threads push, any number pop, each message goes to one. First in, first
 * out by order of claim.
 *
 * Algorithm: Dmitry Vyukov's bounded MPMC queue; a batch claims a whole run of slots at once.
 *
 * @example
 * const queue = new MpmcQueue({ capacity: 1024, messageBytes: 256, overflow: 'drop-oldest' });
 * new Worker('./consumer.js', { workerData: { queue: queue.share() } });
 * queue.tryPush(Buffer.from('news'));
 */
export class MpmcQueue extends MessageQueue<typeof KIND> {
  /** @throws RangeError `ERR_OUT_OF_RANGE`, TypeError `ERR_INVALID_ARG_TYPE`, Error `ERR_QUEUE_MEMORY` */
  constructor(options: MpmcQueueOptions) {
    super(options instanceof Attached ? options.handle : open(options), NAMES);
  }

  /**
   * The queue of a token, for use on this thread.
   *
   * @throws Error `ERR_SHARED_GONE` when no thread holds it any more, `ERR_LAYOUT_MISMATCH` for a token of another copy
   */
  static attach(token: SharedToken<typeof KIND>): MpmcQueue {
    return new MpmcQueue(new Attached(attached(KIND, token, NAMES.copy, native.attachQueue)) as never);
  }
}

function open(options: MpmcQueueOptions): Handle {
  checkObject('options', options);
  const capacity = checkInteger('options.capacity', options.capacity, native.minCapacity, native.maxCapacity);
  const messageBytes = checkInteger('options.messageBytes', options.messageBytes, 0, native.maxMessageBytes);
  const overflow = checkOneOf('options.overflow', options.overflow ?? 'reject', POLICIES);
  return opened(native.openQueue(capacity, messageBytes, POLICIES.indexOf(overflow)), capacity * messageBytes);
}
