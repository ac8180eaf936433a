import type { Feed } from '@millrace/feed';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Server } from '../index.js';
import type { Board } from './board.js';

export interface MetricSubjects {
  readonly server: Server;
  readonly feed: Feed<'u64'> | undefined;
  readonly board: Board;
  readonly memoryPlan: { readonly totalBytes: number };
}

/** The values of one label, or one value under the empty name. */
type Values = Readonly<Record<string, number>>;

/** Figures in Prometheus's text form, read from the server and the feed whenever they are asked for. */
export class Metrics {
  readonly #registry = new Registry();

  constructor({ server, feed, board, memoryPlan }: MetricSubjects) {
    this.#counter('connections_accepted_total', 'connections accepted', () => server.stats().connections.accepted);
    this.#counter(
      'connections_rejected_total',
      'connections refused',
      () => server.stats().connections.rejected,
      'reason',
    );
    this.#counter('connections_closed_total', 'connections closed', () => server.stats().connections.closed, 'reason');
    this.#gauge('connections_open', 'open connections', () => server.stats().connections.open);
    this.#counter('bytes_total', 'bytes on the wire', () => server.stats().bytes, 'direction');
    this.#counter('messages_received_total', 'commands received', () => server.stats().messages.received);
    this.#counter('messages_handled_total', 'commands handled', () => server.stats().messages.handled);
    this.#counter('messages_failed_total', 'commands whose handler failed', () => server.stats().messages.failed);
    this.#counter('messages_dropped_total', 'commands dropped', () => server.stats().messages.dropped, 'reason');
    this.#gauge('messages_in_flight', 'commands in flight', () => server.stats().messages.inFlight);
    this.#counter('published_offered_total', 'messages for subscribers', () => server.stats().published.offered);
    this.#counter(
      'published_delivered_total',
      'messages sent to subscribers',
      () => server.stats().published.delivered,
    );
    this.#counter('published_conflated_total', 'messages replaced by newer', () => server.stats().published.conflated);
    this.#counter('published_dropped_total', 'messages dropped', () => server.stats().published.dropped, 'reason');
    this.#counter('read_paused_ms_total', 'time that reading was paused', () => server.stats().readPausedMs);
    this.#gauge('queue_depth', 'entries that wait', () => queueFigures(server, 'depth'), 'queue');
    this.#gauge('queue_high_water', 'most entries that ever waited', () => queueFigures(server, 'highWater'), 'queue');
    this.#gauge('memory_used_bytes', 'native memory in use by the server', () => server.stats().memory.usedBytes);
    this.#gauge('memory_plan_bytes', 'native memory that can ever be used', () => memoryPlan.totalBytes);
    this.#counter('commands_total', 'commands executed', () => board.sum('commands'));
    this.#counter('command_errors_total', 'commands answered with an error', () => board.sum('commandErrors'));
    if (feed !== undefined) this.#watchFeed(feed, board);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }

  #watchFeed(feed: Feed<'u64'>, board: Board): void {
    this.#counter('feed_offered_total', 'messages the feed was offered', () => feed.stats().offered);
    this.#counter('feed_delivered_total', 'messages that workers handled', () => feed.stats().delivered);
    this.#counter('feed_failed_total', 'messages whose handler failed', () => feed.stats().failed);
    this.#counter('feed_conflated_total', 'messages replaced by newer', () => feed.stats().conflated);
    this.#counter('feed_dropped_total', 'messages dropped', () => ({ ...feed.stats().dropped }), 'reason');
    this.#gauge('feed_in_flight', 'messages on their way', () => feed.stats().inFlight);
    this.#gauge('feed_depth', 'messages that wait', () => feed.stats().depth);
    this.#gauge('feed_high_water', 'most messages that ever waited', () => feed.stats().highWater);
    this.#gauge('feed_latency_ns', 'from push to worker', () => ({ ...feed.stats().latencyNs }), 'quantile');
    this.#counter('feed_malformed_total', 'lines of the source skipped', () => board.get('feedMalformed'));
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

function queueFigures(server: Server, figure: 'depth' | 'highWater'): Values {
  return Object.fromEntries(Object.entries(server.stats().queues).map(([name, queue]) => [name, queue[figure]]));
}
