import type { Board } from './board.js';
import type { Broadcast } from './broadcast.js';
import type { Channels } from './channels.js';
import type { Keyspace } from './keyspace.js';
import type { Reply } from './reply.js';
import type { Sessions } from './sessions.js';
import type { FeedStats } from '@millrace/feed';

/** What commands may ask about the configuration. */
export interface Settings {
  readonly host: string;
  readonly maxMemoryBytes: number;
  readonly maxClients: number;
  readonly maxKeyBytes: number;
  readonly maxSubscriptions: number;
  readonly idleTimeoutMs: number;
  readonly maxCommandBytes: number;
  readonly workers: number;
  readonly feed: string;
}

/** What the commands of one worker share; one object a thread. */
export interface Services {
  readonly reply: Reply;
  readonly keyspace: Keyspace;
  readonly channels: Channels;
  readonly sessions: Sessions;
  readonly broadcast: Broadcast;
  readonly board: Board;
  readonly settings: Settings;
  /** Native bytes in use by the structures that the threads share. */
  readonly storeBytes: () => number;
  /** Undefined where there is no feed. */
  readonly feedStats: (() => FeedStats) | undefined;
}
