import { serverFigures, sumQueues, workerFigures, type WorkerFigures } from './stats.js';
import type { ServerStats } from './types.js';

/** Where ServerStats come from; `id` is undefined before listen(). */
export interface StatsSource {
  readonly id: number | undefined;
  readonly inboxes: number;
  readonly planBytes: number;
  readonly workers: ServerStats['workers'] | undefined;
}

export function collectStats({ id, inboxes, planBytes, workers }: StatsSource): ServerStats {
  const figures = serverFigures(id);
  const each = Array.from({ length: inboxes }, (_, i) => workerFigures(id, i));
  const total = (field: 'received' | 'handled' | 'failed' | 'dropped' | 'inFlight') =>
    each.reduce((sum, inbox) => sum + inbox[field], 0);
  return {
    topology: 'staged',
    connections: figures.connections,
    bytes: figures.bytes,
    messages: {
      received: total('received'),
      handled: total('handled'),
      failed: total('failed'),
      dropped: { ended: total('dropped') },
      inFlight: total('inFlight'),
    },
    published: figures.published,
    queues: { ...figures.queues, work: sumQueues(each) },
    readPausedMs: figures.readPausedMs,
    workers: workers ?? each.map(ownThread),
    memory: { planBytes, usedBytes: figures.usedBytes },
  };
}

function ownThread({ runningMs, handled }: WorkerFigures): ServerStats['workers'][number] {
  return { workerIndex: 0, state: runningMs > 0 ? 'running' : 'idle', runningMs, handled, replaced: 0 };
}
