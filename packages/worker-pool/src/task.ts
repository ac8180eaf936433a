import { AsyncResource } from 'node:async_hooks';
import type { TransferListItem } from 'node:worker_threads';
import type { TaskLane } from './task-lane.js';

/** What `run` was called with, until its promise settles: which it does in the async context of that call. */
export class Task extends AsyncResource {
  /** It lies in the queue. Neither there nor given: it is being cloned, which may call getters of its caller's. */
  queued = false;
  /** Where it was given, and as what. */
  lane: TaskLane | undefined;
  position = 0;
  settled = false;
  /** Called when it settles, where there is a signal. */
  unfollow: (() => void) | undefined;
  timer: NodeJS.Timeout | undefined;

  constructor(
    readonly value: unknown,
    /** Of the export; `undefined` is the default one. */
    readonly name: string | undefined,
    readonly priority: number,
    readonly transferList: readonly TransferListItem[] | undefined,
    /** Counts up: which came first. */
    readonly sequence: number,
    /** Milliseconds by the pool's clock. */
    readonly enqueuedAt: number,
    readonly resolve: (value: unknown) => void,
    readonly reject: (error: unknown) => void,
  ) {
    // Otherwise each is followed by the garbage collector where somebody listens for ends.
    super('MillraceTask', { requireManualDestroy: true });
  }

  /** Whether what it carries can be sent only once. */
  get transfers(): boolean {
    return this.transferList !== undefined && this.transferList.length > 0;
  }

  /** False when it has settled before. */
  settle(settle: (value: unknown) => void, value: unknown): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.unfollow?.();
    if (this.timer !== undefined) clearTimeout(this.timer);
    this.runInAsyncScope(settle, undefined, value);
    this.emitDestroy();
    return true;
  }
}
