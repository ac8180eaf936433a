import type { TransferListItem } from 'node:worker_threads';
import type { TaskLane } from './task-lane.js';

/** What `run` was called with, until its promise settles. */
export class Task {
  /** Where it was given, and as what; `undefined` while it is queued. */
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
  ) {}

  /** Whether what it carries can be sent only once. */
  get transfers(): boolean {
    return this.transferList !== undefined && this.transferList.length > 0;
  }

  /** False when it has settled before. */
  settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.unfollow?.();
    if (this.timer !== undefined) clearTimeout(this.timer);
    return true;
  }
}
