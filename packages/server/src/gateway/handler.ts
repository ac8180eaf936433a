import type { SharedToken } from '@millrace/concurrent-map';
import { Feed } from '@millrace/feed';
import { defineHandler, type WorkerContext } from '../index.js';
import { Broadcast } from './broadcast.js';
import { Client } from './client.js';
import { commandTable } from './commands/index.js';
import { Reply } from './reply.js';
import type { Services, Settings } from './services.js';
import { Stores, type StoreTokens } from './stores.js';

export interface HandlerData {
  readonly stores: StoreTokens;
  readonly settings: Settings;
  readonly feed: SharedToken<'feed', 'u64'> | undefined;
}

/** What the shared maps refuse, and how Redis words it where it knows the case. */
const REFUSALS: Readonly<Record<string, string>> = {
  ERR_MAP_FULL: "OOM command not allowed when used memory > 'maxmemory'.",
  ERR_MAP_TOO_LARGE: 'ERR key of more than 4000 bytes, or value that takes more than half of the keyspace',
};
const TOO_MANY_CLIENTS = '-ERR max number of clients reached\r\n';
const FRAMING_ERROR = /^ERR_FRAME_/;

/** What one thread's connections share. */
class Worker {
  readonly services: Services;
  readonly #stores: Stores;
  readonly #feed: Feed<'u64'> | undefined;
  readonly #countCommand: (amount: number) => void;
  readonly #countError: (amount: number) => void;

  constructor(context: WorkerContext<HandlerData>) {
    const { workerData, workerIndex } = context;
    const stores = (this.#stores = Stores.attach(workerData.stores));
    const feed = (this.#feed = workerData.feed && Feed.attach(workerData.feed));
    const { keyspace, channels, sessions, board } = stores;
    this.services = {
      reply: new Reply(),
      keyspace,
      channels,
      sessions,
      board,
      broadcast: new Broadcast((topic, payload, options) => context.publish(topic, payload, options), channels),
      settings: workerData.settings,
      storeBytes: () => stores.usedBytes,
      feedStats: feed && (() => feed.stats()),
    };
    this.#countCommand = board.counter('commands', workerIndex);
    this.#countError = board.counter('commandErrors', workerIndex);
  }

  execute(client: Client, message: Parameters<typeof commandTable.execute>[1]): void {
    const { reply } = this.services;
    reply.begin(client.connection, client.protocol);
    this.#countCommand(1);
    try {
      if (!commandTable.execute(client, message)) this.#countError(1);
    } catch (error) {
      const refusal = REFUSALS[(error as NodeJS.ErrnoException).code ?? ''];
      if (refusal === undefined) throw error;
      this.#countError(1);
      reply.error(refusal);
    }
    reply.flush();
    if (client.closing) client.connection.end();
  }

  close(): void {
    this.#feed?.detach();
    this.#stores.close();
  }
}

let worker: Worker | undefined;

/** The gateway's side of a connection: one message is one command, whose parts the framing has found. */
export default defineHandler<Client, HandlerData>({
  start(context) {
    worker = new Worker(context);
  },

  stop() {
    worker?.close();
    worker = undefined;
  },

  data(connection) {
    return new Client(connection, worker!.services);
  },

  open(connection, { reopened }) {
    const client = connection.data;
    // On a new worker a connection goes on with the name, protocol and subscriptions it had.
    const record = reopened ? worker!.services.sessions.find(connection) : undefined;
    if (record !== undefined) {
      client.restore(record);
    } else if (!client.save()) {
      client.closing = true;
      connection.end(TOO_MANY_CLIENTS);
    }
  },

  message(connection, message) {
    const client = connection.data;
    if (!client.closing) worker!.execute(client, message);
  },

  error(connection, error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !FRAMING_ERROR.test(code) || connection.data.closing) return;
    connection.data.closing = true;
    connection.end(Buffer.from(`-ERR ${error.message}\r\n`, 'latin1'));
  },

  close(connection) {
    worker!.services.sessions.close(connection);
  },
});
