/**
 * The worker threads of a server: starts them, watches how long their handlers run, and replaces the ones
 * that died or are stuck. The ring of a dead worker stays, and its successor goes on where it stopped.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { reasonNumber } from './close-reason.js';
import { connectionInfo } from './connection-info.js';
import { unpackError } from './error-message.js';
import { makeError, moduleError } from './errors.js';
import { native } from './native.js';
import type { CheckedOptions } from './options.js';
import { ReportGate } from './report-gate.js';
import { workerFigures, type WorkerFigures } from './stats.js';
import type { ConnectionInfo, ServerStats, WorkerReport } from './types.js';
import type { WorkerMessage, WorkerStart } from './worker-main.js';

/** A worker that dies this often within the window is not started again. */
const MOST_DEATHS = 10;
const DEATH_WINDOW_MS = 10_000;
const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY';

export interface WorkerGroupEvents {
  warn(report: WorkerReport): void;
  stuck(report: WorkerReport & { connection?: ConnectionInfo }): void;
  replaced(report: WorkerReport): void;
  handlerError(error: Error, info: ConnectionInfo): void;
  /** A worker will not come back. */
  error(error: Error): void;
}

interface Place {
  worker: Worker | undefined;
  state: 'starting' | 'ready' | 'stuck' | 'gone';
  replaced: number;
  deaths: number[];
  /** The ring position that was reported last, so that each is once. */
  warned: number;
  /** The ring position that the worker was last seen at, and since when; below −1 between its batches. */
  position: number;
  sinceMs: number;
  error: Error | undefined;
  stuckMs: number;
}

export class WorkerGroup {
  readonly #server: number;
  readonly #options: CheckedOptions;
  readonly #events: WorkerGroupEvents;
  readonly #places: Place[] = [];
  readonly #gate = new ReportGate();
  #stopping = false;
  #referenced = true;
  #stopError: Error | undefined;

  constructor(server: number, options: CheckedOptions, events: WorkerGroupEvents) {
    this.#server = server;
    this.#options = options;
    this.#events = events;
  }

  /** @throws Error `ERR_WORKER_MODULE` when the handler's module or its `start` fails */
  async start(): Promise<void> {
    for (let i = 0; i < this.#options.workers; i++) {
      this.#places.push({
        worker: undefined,
        state: 'starting',
        replaced: 0,
        deaths: [],
        warned: -1,
        position: -1,
        sinceMs: 0,
        error: undefined,
        stuckMs: 0,
      });
    }
    try {
      await Promise.all(this.#places.map((_, index) => this.#launch(index)));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Whether the threads keep the process alive, those that will yet be started too. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    for (const { worker } of this.#places) {
      if (on) worker?.ref();
      else worker?.unref();
    }
  }

  /**
   * Runs each handler's `stop` and ends the threads; those that do not end by themselves are terminated.
   *
   * @returns what a `stop` failed with
   */
  async stop(graceMs = 5_000): Promise<Error | undefined> {
    this.#stopping = true;
    await Promise.all(
      this.#places.map(async ({ worker, state }) => {
        if (worker === undefined) return;
        const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
        if (worker.threadId === -1) return;
        if (state === 'ready') {
          worker.postMessage('stop');
          const timer = setTimeout(() => void worker.terminate(), graceMs);
          await ended;
          clearTimeout(timer);
        } else {
          await worker.terminate();
        }
      }),
    );
    return this.#stopError;
  }

  /** Looks at how long each handler has been running. Called a few times a second. */
  watch(): void {
    const { warnAfterMs, stuckAfterMs } = this.#options;
    this.#places.forEach((place, workerIndex) => {
      if (place.state === 'gone') native.discard(this.#server, workerIndex);
      if (place.state !== 'ready') return;
      const { runningMs } = this.#look(place, workerIndex);
      if (stuckAfterMs > 0 && runningMs >= stuckAfterMs) {
        this.#stuck(place, workerIndex, runningMs);
      } else if (warnAfterMs > 0 && runningMs >= warnAfterMs && place.warned !== place.position) {
        place.warned = place.position;
        this.#events.warn({ workerIndex, elapsedMs: runningMs });
      }
    });
  }

  stats(): ServerStats['workers'] {
    return this.#places.map((place, workerIndex) => {
      const { runningMs, handled } = this.#look(place, workerIndex);
      const state = place.state === 'ready' ? (runningMs > 0 ? 'running' : 'idle') : place.state;
      return { workerIndex, state, runningMs, handled, replaced: place.replaced };
    });
  }

  /**
   * The worker's figures, with `runningMs` of its present handler alone: the addon knows since when the
   * batch has been running, and a batch of many short handlers is not stuck. What runs outside of a batch (a
   * timer, what follows an await) is seen by messages that wait while no batch ends.
   */
  #look(place: Place, workerIndex: number): WorkerFigures {
    const figures = workerFigures(this.#server, workerIndex);
    const now = performance.now();
    const inBatch = figures.runningMs > 0;
    const position = inBatch ? figures.position : figures.depth > 0 ? -2 - figures.passed : -1;
    if (position !== place.position) {
      place.position = position;
      place.sinceMs = now;
    }
    if (position === -1) return figures;
    const sinceMs = now - place.sinceMs;
    // Seen for the first time in a batch: it runs, for less than it took since the last look.
    return {
      ...figures,
      runningMs: inBatch ? Math.min(figures.runningMs, Math.max(sinceMs, Number.MIN_VALUE)) : sinceMs,
    };
  }

  #stuck(place: Place, workerIndex: number, elapsedMs: number): void {
    place.state = 'stuck';
    place.stuckMs = elapsedMs;
    const row = native.runningConnection(this.#server, workerIndex);
    native.setEndReason(this.#server, workerIndex, reasonNumber('stuck'));
    void place.worker?.terminate();
    // Last: a listener may throw.
    this.#events.stuck({
      workerIndex,
      elapsedMs,
      reason: 'stuck',
      ...(row !== undefined && { connection: connectionInfo(row) }),
    });
  }

  #launch(workerIndex: number): Promise<void> {
    const place = this.#places[workerIndex]!;
    const { handler, framing, inboxCapacity, highWaterBytes, lowWaterBytes, workerData, workerOptions } = this.#options;
    place.state = 'starting';
    place.warned = -1;
    place.error = undefined;
    const start: WorkerStart = {
      token: { id: this.#server, nonce: native.token(this.#server) },
      workerIndex,
      handler: handler as string,
      framing,
      inboxCapacity,
      highWaterBytes,
      lowWaterBytes,
      workerData,
      reports: this.#gate.memory,
    };
    native.setEndReason(this.#server, workerIndex, reasonNumber('error'));
    return new Promise((resolve, reject) => {
      const worker = new Worker(join(__dirname, 'worker-main.js'), { ...workerOptions, workerData: start });
      place.worker = worker;
      worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'handlerError') {
          this.#gate.leave();
          this.#events.handlerError(unpackError(message.error), message.info);
        } else if (message.type === 'ready') {
          place.state = 'ready';
          resolve();
        } else if (message.type === 'stopFailed') {
          this.#stopError = unpackError(message.error);
        } else {
          place.error = unpackError(message.error);
          // What the module left open (a timer, a socket) would keep the thread, and listen() waiting.
          void worker.terminate();
        }
      });
      // After that, which takes a reference.
      if (!this.#referenced) worker.unref();
      worker.on('error', (error: Error) => (place.error = error));
      worker.on('exit', (code) => {
        const wasReady = place.state === 'ready' || place.state === 'stuck';
        const when = wasReady ? '' : ', before its start() had settled';
        const cause =
          place.error ?? makeError('ERR_SERVER_WORKER', `Worker ${workerIndex} ended with code ${code}${when}`);
        if (wasReady) this.#died(place, workerIndex, cause);
        else if (!this.#stopping) place.state = 'gone';
        reject(moduleError(cause));
      });
    });
  }

  #died(place: Place, workerIndex: number, error: Error): void {
    const wasStuck = place.state === 'stuck';
    place.state = 'gone';
    if (this.#stopping) return;
    const now = Date.now();
    place.deaths = [...place.deaths.filter((at) => now - at < DEATH_WINDOW_MS), now];
    const reason = wasStuck
      ? 'stuck'
      : (error as NodeJS.ErrnoException).code === OUT_OF_MEMORY
        ? 'memory'
        : place.error !== undefined
          ? 'error'
          : 'exit';
    if (place.deaths.length > MOST_DEATHS) {
      this.#giveUp(
        workerIndex,
        makeError(
          'ERR_SERVER_WORKER',
          `Worker ${workerIndex} died ${place.deaths.length} times within ${DEATH_WINDOW_MS} ms and is not started again`,
          { cause: error },
        ),
      );
      return;
    }
    this.#launch(workerIndex).then(
      () => {
        place.replaced++;
        this.#events.replaced({ workerIndex, elapsedMs: wasStuck ? place.stuckMs : 0, reason, error });
      },
      (cause: Error) => !this.#stopping && this.#giveUp(workerIndex, cause),
    );
  }

  /** From here on its connections are refused, and the others take who comes; watch() goes on with that. */
  #giveUp(workerIndex: number, error: Error): void {
    native.discard(this.#server, workerIndex);
    this.#events.error(error);
  }
}
