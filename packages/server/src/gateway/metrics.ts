import type { Feed, FeedStats } from '@millrace/feed';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Server, ServerStats } from '../index.js';
import type { Board } from './board.js';

export interface MetricSubjects {
  readonly server: Server;
  readonly feed: Feed<'u64'> | undefined;
  readonly board: Board;
  readonly memoryPlan: { readonly totalBytes: number };
}

/** The values of one label, or one value under the empty name. */
type Values = Readonly<Record<string, number>>;

/**
 * Figures in Prometheus's text form, read from the server and the feed whenever they are asked for: once each, so that
 * those of one answer belong together.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #subjects: MetricSubjects;
  #server: ServerStats;
  #feed: FeedStats | undefined;

  constructor(subjects: MetricSubjects) {
    const { server, feed, board, memoryPlan } = subjects;
    this.#subjects = subjects;
    this.#server = server.stats();
    this.#counter('connections_accepted_total', 'connections accepted', () => this.#server.connections.accepted);
    this.#counter(
      'connections_rejected_total',
      'connections refused',
      () => this.#server.connections.rejected,
      'reason',
    );
    this.#counter('connections_closed_total', 'connections closed', () => this.#server.connections.closed, 'reason');
    this.#gauge('connections_open', 'open connections', () => this.#server.connections.open);
    this.#counter('bytes_total', 'bytes on the wire', () => this.#server.bytes, 'direction');
    this.#counter('messages_received_total', 'commands received', () => this.#server.messages.received);
    this.#counter('messages_handled_total', 'commands handled', () => this.#server.messages.handled);
    this.#counter('messages_failed_total', 'commands whose handler failed', () => this.#server.messages.failed);
    this.#counter('messages_dropped_total', 'commands dropped', () => this.#server.messages.dropped, 'reason');
    this.#gauge('messages_in_flight', 'commands in flight', () => this.#server.messages.inFlight);
    this.#counter('published_offered_total', 'messages for subscribers', () => this.#server.published.offered);
    this.#counter('published_delivered_total', 'messages sent to subscribers', () => this.#server.published.delivered);
    this.#counter('published_conflated_total', 'messages replaced by newer', () => this.#server.published.conflated);
    this.#counter('published_dropped_total', 'messages dropped', () => this.#server.published.dropped, 'reason');
    this.#counter('read_paused_ms_total', 'time that reading was paused', () => this.#server.readPausedMs);
    this.#gauge('queue_depth', 'entries that wait', () => queueFigures(this.#server, 'depth'), 'queue');
    this.#gauge(
      'queue_high_water',
      'most entries that ever waited',
      () => queueFigures(this.#server, 'highWater'),
      'queue',
    );
    this.#gauge('memory_used_bytes', 'native memory in use by the server', () => this.#server.memory.usedBytes);
    this.#gauge('memory_plan_bytes', 'native memory that can ever be used', () => memoryPlan.totalBytes);
    this.#counter('commands_total', 'commands executed', () => board.sum('commands'));
    this.#counter('command_errors_total', 'commands answered with an error', () => board.sum('commandErrors'));
    if (feed !== undefined) this.#watchFeed(board);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    this.#server = this.#subjects.server.stats();
    this.#feed = this.#subjects.feed?.stats();
    return this.#registry.metrics();
  }

  #watchFeed(board: Board): void {
    this.#counter('feed_offered_total', 'messages the feed was offered', () => this.#feed!.offered);
    this.#counter('feed_delivered_total', 'messages that workers handled', () => this.#feed!.delivered);
    this.#counter('feed_failed_total', 'messages whose handler failed', () => this.#feed!.failed);
    this.#counter('feed_conflated_total', 'messages replaced by newer', () => this.#feed!.conflated);
    this.#counter('feed_dropped_total', 'messages dropped', () => ({ ...this.#feed!.dropped }), 'reason');
    this.#gauge('feed_in_flight', 'messages on their way', () => this.#feed!.inFlight);
    this.#gauge('feed_depth', 'messages that wait', () => this.#feed!.depth);
    this.#gauge('feed_high_water', 'most messages that ever waited', () => this.#feed!.highWater);
    this.#gauge('feed_latency_ns', 'from push to worker', () => ({ ...this.#feed!.latencyNs }), 'quantile');
    this.#counter('feed_malformed_total', 'lines of the source skipped', () => board.get('feedMalformed'));
    this.#counter('feed_late_total', 'trades whose second was over: in no bar', () => board.sum('feedLate'));
    this.#counter('feed_unreadable_total', 'messages without the fields they need', () => board.sum('feedUnreadable'));
  }

  #gauge(name: string, help: string, read: () => number | Values, label?: string): void {
    const gauge: Gauge = new Gauge({
      name: `millrace_${name}`,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      collect: () => {
        for (const [labels, value] of samples(read(), label)) gauge.set(labels, value);
      },
    });
  }

  #counter(name: string, help: string, read: () => number | Values, label?: string): void {
    const counter: Counter = new Counter({
      name: `millrace_${name}`,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [this.#registry],
      // The total is kept elsewhere: this one starts over each time.
      collect: () => {
        counter.reset();
        for (const [labels, value] of samples(read(), label)) counter.inc(labels, value);
      },
    });
  }
}

function samples(values: number | Values, label: string | undefined): [Record<string, string>, number][] {
  if (typeof values === 'number' || label === undefined) return [[{}, Number(values)]];
  return Object.entries(values).map(([name, value]) => [{ [label]: name }, value]);
}

function queueFigures({ queues }: ServerStats, figure: 'depth' | 'highWater'): Values {
  return Object.fromEntries(Object.entries(queues).map(([name, queue]) => [name, queue[figure]]));
}
