import path from 'node:path';
import { loadAddon } from '@millrace/native';

/** @internal What src/binding.cc exports. Results below 0 are errors: −errno. */
export interface EpollAddon {
  /** What is called when events of a poller have come, and the elements it finds them in (src/batch.h). */
  use(dispatch: (poller: number, count: number, error: number) => void, batch: Uint32Array): void;
  openPoller(): number;
  controlPoller(poller: number, operation: number, fd: number, events: number, registration: number): number;
  /** Whether the poller keeps the event loop alive. */
  holdLoop(poller: number, hold: boolean): void;
  closePoller(poller: number): void;
  openSet(): number;
  controlSet(set: number, operation: number, fd: number, events: number): number;
  /** How many pairs, or LOOP_HAS_WORK: to be called again. `timeoutMs` below 0: for ever. */
  wait(set: number, out: Uint32Array, timeoutMs: number): number;
  closeSet(set: number): void;
  openEvent(initial: number, semaphore: boolean): number;
  eventDescriptor(event: number): number;
  notify(event: number, count: number): void;
  drain(event: number): number;
  closeEvent(event: number): void;
  readonly EPOLLIN: number;
  readonly EPOLLPRI: number;
  readonly EPOLLOUT: number;
  readonly EPOLLERR: number;
  readonly EPOLLHUP: number;
  readonly EPOLLRDHUP: number;
  readonly EPOLLEXCLUSIVE: number;
  readonly EPOLLONESHOT: number;
  readonly EPOLLET: number;
  readonly ADD: number;
  readonly MODIFY: number;
  readonly REMOVE: number;
  readonly LOOP_HAS_WORK: number;
  readonly batchBegun: number;
  readonly batchFirst: number;
  readonly batchStride: number;
  readonly batchWords: number;
}

/** @internal */
export const native = loadAddon<EpollAddon>(path.join(__dirname, '..'));
