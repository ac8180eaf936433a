import { checkInteger, checkObject, integerOption } from '@millrace/native';
import { errors } from './errors.js';
import { MessageQueue } from './message-queue.js';
import { Answer, type Handle, native } from './native.js';
import { attached, opened } from './open.js';
import { Attached } from './queue-handle.js';
import type { SharedToken, SpscRingOptions } from './types.js';

const KIND = 'spsc-ring';
const NAMES = { kind: KIND, copy: native.copyOfRings, maxOption: 'maxMessageBytes' } as const;

/**
 * A ring of messages from one thread to one other, any size up to half of it. The first thread that pushes has the
 * pushing side until it detaches or ends, and the first that pops the popping side; others are told
 * `ERR_QUEUE_SIDE_TAKEN`. Messages may be written in place (`tryReserve`, `commit`).
 *
 * Algorithm: the ring of Lamport (1977) with each side's copy of the other's index, after FastForward and
 * rigtorp/SPSCQueue; records carry their length, and padding before the wrap.
 *
 * @example
 * const ring = new SpscRing({ capacity: 1 << 16 });
 * new Worker('./consumer.js', { workerData: { ring: ring.share() } });
 * const offset = ring.tryReserve(8);
 * if (offset >= 0) {
 *   new DataView(ring.memory.buffer).setFloat64(offset, 1.5);
 *   ring.commit(8);
 * }
 */
export class SpscRing extends MessageQueue<typeof KIND> {
  #memory: Uint8Array<ArrayBuffer> | undefined;

  /** @throws RangeError `ERR_OUT_OF_RANGE`, TypeError `ERR_INVALID_ARG_TYPE`, Error `ERR_QUEUE_MEMORY` */
  constructor(options: SpscRingOptions) {
    super(options instanceof Attached ? options.handle : open(options), NAMES);
  }

  /**
   * The ring of a token, for use on this thread.
   *
   * @throws Error `ERR_SHARED_GONE` when no thread holds it any more, `ERR_LAYOUT_MISMATCH` for a token of another copy
   */
  static attach(token: SharedToken<typeof KIND>): SpscRing {
    return new SpscRing(new Attached(attached(KIND, token, NAMES.copy, native.attachRing)) as never);
  }

  /** The ring's memory, where `tryReserve` points into. Shared by all threads: do not post it. Empty after `detach()`. */
  get memory(): Uint8Array<ArrayBufferLike> {
    if (this.#memory === undefined) {
      if (this.handle < 0) throw errors.detached();
      this.#memory = new Uint8Array(native.memory(this.handle));
    }
    return this.#memory;
  }

  /**
   * Makes room for a message that is to be written in place.
   *
   * @param byteLength - bytes, 0 to `maxMessageBytes`
   * @returns where in `memory` the message goes, a multiple of 8; −1 when full or closed. Valid until the next
   *   `tryReserve` or push of this thread
   * @throws as `tryPush`
   */
  tryReserve(byteLength: number): number {
    checkInteger('byteLength', byteLength, 0, native.maxRingBytes);
    const answer = native.reserve(this.handle, byteLength);
    if (answer >= 0) return answer;
    this.check(answer, byteLength);
    return -1;
  }

  /**
   * What was written at the last `tryReserve` is a message now.
   *
   * @param byteLength - bytes, 0 to what was reserved
   * @throws Error `ERR_QUEUE_NO_RESERVATION`; `ERR_QUEUE_CLOSED` when it was closed meanwhile; RangeError
   *   `ERR_OUT_OF_RANGE`
   */
  commit(byteLength: number): void {
    checkInteger('byteLength', byteLength, 0, native.maxRingBytes);
    const answer = native.commit(this.handle, byteLength);
    if (answer === Answer.Accepted) return;
    if (answer === Answer.Empty) throw errors.noReservation();
    if (answer === Answer.TooLarge) throw errors.committed(byteLength);
    if (answer === Answer.Closed) throw errors.closed();
    this.check(answer, byteLength);
  }

  override detach(): void {
    super.detach();
    if (this.#memory !== undefined && this.#memory.length > 0) native.detachView(this.#memory.buffer);
  }
}

function open(options: SpscRingOptions): Handle {
  checkObject('options', options);
  const capacity = checkInteger('options.capacity', options.capacity, native.minRingBytes, native.maxRingBytes);
  const most = 2 ** Math.ceil(Math.log2(capacity)) / 2 - 8;
  const range = { min: 1, max: most, default: 0 };
  const maxMessageBytes = integerOption('options.maxMessageBytes', options.maxMessageBytes, range);
  return opened(native.openRing(capacity, maxMessageBytes), capacity);
}
