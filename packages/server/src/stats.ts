import { CLOSE_REASONS, REJECT_REASONS } from './close-reason.js';
import { native } from './native.js';
import type { QueueState, ServerStats } from './types.js';

/** Of a worker, in the order in which binding.cc writes them. */
export interface WorkerFigures {
  readonly received: number;
  readonly handled: number;
  readonly failed: number;
  readonly dropped: number;
  readonly inFlight: number;
  readonly capacity: number;
  readonly depth: number;
  readonly highWater: number;
  readonly passed: number;
  readonly runningMs: number;
  readonly attached: boolean;
  readonly position: number;
}

/** Numbers that the addon writes into one array, read in its order. */
class Reader {
  #next = 0;

  constructor(private readonly values: Float64Array) {}

  take(): number {
    return this.values[this.#next++]!;
  }

  named<Name extends string>(names: readonly Name[]): Record<Name, number> {
    return Object.fromEntries(names.map((name) => [name, this.take()])) as Record<Name, number>;
  }

  queue(): QueueState {
    return this.named(['capacity', 'depth', 'highWater', 'passed']);
  }
}

const workerValues = new Float64Array(12);

/** All zero before a server has an id. */
export function workerFigures(server: number | undefined, worker: number): WorkerFigures {
  if (server === undefined) workerValues.fill(0);
  else native.worker(server, worker, workerValues);
  const reader = new Reader(workerValues);
  return {
    ...reader.named(['received', 'handled', 'failed', 'dropped', 'inFlight']),
    ...reader.queue(),
    runningMs: reader.take(),
    attached: reader.take() !== 0,
    position: reader.take(),
  };
}

export type ServerFigures = Omit<ServerStats, 'messages' | 'workers' | 'topology' | 'queues' | 'memory'> & {
  readonly queues: Pick<ServerStats['queues'], 'receive' | 'send'>;
  readonly usedBytes: number;
  readonly memoryShort: boolean;
};

const values = new Float64Array(64);

/** All zero before a server has an id. */
export function serverFigures(server: number | undefined): ServerFigures {
  if (server === undefined) values.fill(0);
  else native.stats(server, values);
  const reader = new Reader(values);
  const open = reader.take();
  const accepted = reader.take();
  const rejected = reader.named(REJECT_REASONS);
  const { none: _none, ...closed } = reader.named(CLOSE_REASONS);
  const bytes = reader.named(['read', 'written']);
  reader.take(); // operations on connections that were gone
  const published = reader.named(['offered', 'delivered', 'conflated']);
  const dropped = reader.named(['oldest', 'slow-consumer', 'closed', 'memory']);
  const inFlight = reader.take();
  const readPausedMs = reader.take() / 1e6;
  const receive = reader.queue();
  const send = reader.queue();
  const usedBytes = reader.take();
  reader.take(); // committed
  reader.take(); // exhausted
  const memoryShort = reader.take() !== 0;
  return {
    connections: {
      open,
      accepted,
      rejected,
      closed: closed,
    },
    bytes,
    published: { ...published, dropped, inFlight },
    readPausedMs,
    queues: { receive, send },
    usedBytes,
    memoryShort,
  };
}

/** The queues of all workers as one. */
export function sumQueues(figures: readonly WorkerFigures[]): QueueState {
  return figures.reduce<QueueState>(
    (sum, { capacity, depth, highWater, passed }) => ({
      capacity: sum.capacity + capacity,
      depth: sum.depth + depth,
      highWater: Math.max(sum.highWater, highWater),
      passed: sum.passed + passed,
    }),
    { capacity: 0, depth: 0, highWater: 0, passed: 0 },
  );
}
