import { defineConsumer, type FeedBatch, type FeedContext } from '@millrace/feed';
import { Publisher, type Server } from '../../index.js';
import { Broadcast } from '../broadcast.js';
import { Stores, type StoreTokens } from '../stores.js';
import { parseQuote, parseTrade, type Quote, type Trade } from './market-message.js';
import { StreamHeader } from './stream-header.js';
import { SymbolState } from './symbol-state.js';
import { SymbolStore } from './symbol-store.js';

export interface FeedWorkerData {
  readonly stores: StoreTokens;
  readonly server: ReturnType<Server['share']>;
}

/** A feed that names more symbols than this is broken: what is beyond counts as unreadable. */
const MAX_SYMBOLS = 10_000;

/** Keeps the figures of the symbols whose messages come to this worker, and publishes their ticks. */
class FeedWorker {
  readonly #stores: Stores;
  readonly #publisher: Publisher;
  readonly #broadcast: Broadcast;
  readonly #store: SymbolStore;
  readonly #header = new StreamHeader();
  readonly #symbols = new Map<string, SymbolState>();
  /** The symbols that the running batch touched, and whether somebody listens to their ticks. */
  readonly #touched = new Map<SymbolState, boolean>();
  readonly #count: Readonly<Record<'trades' | 'quotes' | 'other' | 'unreadable' | 'late', (n: number) => void>>;

  constructor({ workerData, workerIndex }: FeedContext<FeedWorkerData>) {
    this.#stores = Stores.attach(workerData.stores);
    this.#publisher = Publisher.attach(workerData.server);
    this.#broadcast = new Broadcast(
      (topic, payload, options) => this.#publisher.publish(topic, payload, options),
      this.#stores.channels,
    );
    const { board } = this.#stores;
    this.#count = {
      trades: board.counter('feedTrades', workerIndex),
      quotes: board.counter('feedQuotes', workerIndex),
      other: board.counter('feedOther', workerIndex),
      unreadable: board.counter('feedUnreadable', workerIndex),
      late: board.counter('feedLate', workerIndex),
    };
    this.#store = new SymbolStore(this.#stores, board.counter('feedUnstored', workerIndex));
  }

  /** Figures are written once a batch and symbol: what is in between nobody could have seen. */
  handle(batch: FeedBatch<'u64'>): void {
    const { view } = batch;
    const memory = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    for (let i = 0; i < batch.length; i++) {
      const start = batch.offset(i);
      this.#message(memory, start, start + batch.byteLength(i));
    }
    this.#store.write(this.#touched.keys());
    this.#touched.clear();
  }

  close(): void {
    this.#store.close();
    this.#publisher.close();
    this.#stores.close();
  }

  #message(memory: Buffer, start: number, end: number): void {
    switch (this.#header.read(memory, start, end).kind) {
      case 'trade':
        this.#take(parseTrade(memory.toString('latin1', start, end)));
        break;
      case 'quote':
        this.#take(parseQuote(memory.toString('latin1', start, end)));
        break;
      default:
        this.#count.other(1);
    }
  }

  #take(message: Trade | Quote | undefined): void {
    const state = message && this.#stateOf(message.symbol);
    if (message === undefined || state === undefined) {
      this.#count.unreadable(1);
      return;
    }
    let listeners = this.#touched.get(state);
    if (listeners === undefined) {
      listeners = this.#broadcast.hasAudience(state.channel);
      this.#touched.set(state, listeners);
    }
    if (message.kind === 'trade') {
      this.#count.trades(1);
      if (!state.trade(message)) this.#count.late(1);
    } else {
      this.#count.quotes(1);
      state.quoted(message);
    }
    // To a subscriber that is too slow the newest quote matters, but every trade.
    const group = message.kind === 'quote' ? 'quote' : undefined;
    if (listeners) this.#broadcast.publish(state.channel, tickOf(message), group);
  }

  #stateOf(symbol: string): SymbolState | undefined {
    let state = this.#symbols.get(symbol);
    if (state === undefined && this.#symbols.size < MAX_SYMBOLS) {
      state = new SymbolState(symbol, this.#stores.totals.get(symbol));
      this.#symbols.set(symbol, state);
    }
    return state;
  }
}

function tickOf(message: Trade | Quote): Buffer {
  return Buffer.from(JSON.stringify(message));
}

let worker: FeedWorker | undefined;

export default defineConsumer<'u64', FeedWorkerData>({
  start(context) {
    worker = new FeedWorker(context);
  },
  batch(batch) {
    worker!.handle(batch);
  },
  stop() {
    worker?.close();
    worker = undefined;
  },
});
