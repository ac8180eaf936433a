import { LatencyHistogram } from './latency-histogram.js';

/** What became of tasks, and how long it took. */
export class TaskFigures {
  completed = 0;
  failed = 0;
  rejected = 0;
  readonly waits = new LatencyHistogram();
  readonly runs = new LatencyHistogram();
}
