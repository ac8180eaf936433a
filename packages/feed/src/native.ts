import path from 'node:path';
import { loadAddon } from '@millrace/native';
import { errors } from './errors.js';

/** What `push` answers: PushResult in millrace/feed/feed_options.h, and one value of the binding. */
export const enum Push {
  Accepted = 0,
  Dropped = 1,
  Full = 2,
  Closed = 3,
  TooLarge = 4,
  NotBytes = 5,
}

/** How a batch ended: BatchOutcome in millrace/feed/feed_consumer.h. */
export const enum Outcome {
  None = 0,
  Delivered = 1,
  Failed = 2,
}

/** What `next` answers instead of a number of messages: constants of Feed in millrace/feed/feed.h. */
export const NEXT_ENDED = -1;
export const NEXT_YIELD = -2;

/** Places in the array that `inspect` fills. */
export const enum Seat {
  Exists = 0,
  Occupied = 1,
  Busy = 2,
  Batches = 3,
  Answers = 4,
  Started = 5,
  Settled = 6,
  Length = 7,
}

export interface NativeOptions {
  capacity: number;
  maxMessageBytes: number;
  maxBytes: number;
  maxKeys: number;
  sampleEvery: number;
  key: number;
  overflow: number;
  blockTimeoutMs: number;
  warnPushAfterUs: number;
}

export interface NativeStats {
  offered: number;
  accepted: number;
  delivered: number;
  failed: number;
  conflated: number;
  newest: number;
  oldest: number;
  sampled: number;
  timeout: number;
  closed: number;
  waiting: number;
  leased: number;
  highWater: number;
  p50: number;
  p99: number;
  max: number;
  pushP50: number;
  pushP99: number;
  pushMax: number;
}

/** One thread's handle on a feed. Its functions must be called on it while it is reachable. */
export interface NativeFeed {
  readonly id: number;
  readonly nonce: number;
  readonly capacity: number;
  readonly maxMessageBytes: number;
  readonly keyKind: number;
  readonly blockTimeoutMs: number;
  /** 16 bytes: the key of the next push. */
  readonly keyCell: ArrayBuffer;
  push(bytes: Uint8Array): Push;
  /** For a message that found no room, after each wait. */
  pushAgain(bytes: Uint8Array): Push;
  waitForRoom(milliseconds: number): void;
  giveUp(): void;
  /** How long such a message has kept its producer, when that is over. */
  noteWait(milliseconds: number): void;
  /** Fills in how many pushes were slow, and the nanoseconds of the latest. */
  slowPushes(out: Float64Array): void;
  waitsForItself(): boolean;
  /** Until it is closed, other threads may ring: then the callback is called. */
  openDoorbell(callback: () => void): void;
  closeDoorbell(): void;
  holdLoop(hold: boolean): void;
  arena(): ArrayBuffer;
  detachView(buffer: ArrayBuffer): void;
  /** Fills in a ticket for each seat; answers the group's number, 0 when there are not so many seats. */
  openGroup(sticky: boolean, tickets: Uint32Array): number;
  closeGroup(group: number): void;
  removeSeat(ticket: number): void;
  /** The consumer's number, or -1 when the seat is gone. The doorbell must be open. */
  occupy(ticket: number): number;
  table(consumer: number): ArrayBuffer;
  next(consumer: number, outcome: Outcome, unbroken: boolean): number;
  answer(consumer: number, fresh: boolean): void;
  leave(consumer: number): void;
  evict(ticket: number): boolean;
  /** Consumers that were evicted and whose threads have not ended yet. */
  evicted(): number;
  inspect(ticket: number, out: Uint32Array): void;
  ping(ticket: number): void;
  members(): number;
  close(): void;
  discard(leases: boolean): void;
  closing(): boolean;
  empty(): boolean;
  watchEmpty(watch: boolean): void;
  trim(): void;
  detach(): void;
  stats(): NativeStats;
  memoryPlan(): Record<'messages' | 'allocator' | 'entries' | 'keys' | 'consumers' | 'feed', number>;
  address(): bigint;
}

interface Addon {
  create(options: NativeOptions): NativeFeed;
  attach(id: number, nonce: number): NativeFeed | null;
  readonly copy: number;
  readonly layout: { tableBytes: number; headerBytes: number; rowBytes: number; maxRows: number; maxSeats: number };
}

/** Layout of a lease table: the picture is in millrace/feed/lease_table.h. */
export const HEADER_BYTES = 64;
export const ROW_BYTES = 32;
export const MAX_ROWS = 256;

export const addon = loadAddon<Addon>(path.dirname(__dirname));
export const { maxSeats } = addon.layout;

const { headerBytes, rowBytes, maxRows } = addon.layout;
if (headerBytes !== HEADER_BYTES || rowBytes !== ROW_BYTES || maxRows !== MAX_ROWS) throw errors.staleAddon();
