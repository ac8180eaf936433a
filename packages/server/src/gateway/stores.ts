import { ConcurrentMap } from '@millrace/concurrent-map';
import { Board } from './board.js';
import { Channels, type CountMap, type PatternVersion } from './channels.js';
import type { SymbolTotals } from './feed/symbol-state.js';
import { Keyspace, type KeyspaceMap } from './keyspace.js';
import {
  Sessions,
  type SessionMap,
  type SessionRecord,
  type SubscriptionMap,
  type SubscriptionRecord,
} from './sessions.js';

type TotalsMap = ConcurrentMap<'string', 'json', SymbolTotals>;

/** How the shared structures are opened on another thread of the process. */
export interface StoreTokens {
  readonly maps: { readonly [Name in keyof Maps]: ReturnType<Maps[Name]['share']> };
  readonly patternVersion: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
}

export interface StoreLimits {
  /** For the keys and their values. */
  readonly maxKeyBytes: number;
  /** For the names of channels, and as much again for who subscribes to them. */
  readonly maxNameBytes: number;
  readonly maxClients: number;
}

/** Not an interface: Object.values would lose the types. */
type Maps = {
  readonly keys: KeyspaceMap;
  readonly channels: CountMap;
  readonly patterns: CountMap;
  readonly sessions: SessionMap;
  readonly subscriptions: SubscriptionMap;
  readonly totals: TotalsMap;
};

const MIB = 1024 * 1024;
/** Each message is compared with each pattern. */
const MAX_PATTERNS = 4096;
/** What a session takes at most in the ordinary case: some will have long names, most have none. */
const SESSION_BYTES = 512;
/** Thousands of symbols. */
const MAX_TOTALS_BYTES = 2 * MIB;

/**
 * The structures that all threads of the gateway share: keys, subscription counts, sessions, the feed's totals, figures.
 * One object a thread; the memory goes with the last of them.
 */
export class Stores {
  readonly keyspace: Keyspace;
  readonly channels: Channels;
  readonly sessions: Sessions;
  readonly totals: TotalsMap;
  readonly board: Board;
  readonly #maps: Maps;
  readonly #patternVersion: PatternVersion;

  private constructor(maps: Maps, patternVersion: SharedArrayBuffer, board: Board) {
    this.#maps = maps;
    this.#patternVersion = new Int32Array(patternVersion);
    this.keyspace = new Keyspace(maps.keys);
    this.channels = new Channels(maps.channels, maps.patterns, this.#patternVersion);
    this.sessions = new Sessions(maps.sessions, maps.subscriptions, this.channels);
    this.totals = maps.totals;
    this.board = board;
  }

  /** The most native bytes that the structures take, part by part. */
  static plan(limits: StoreLimits): { name: string; bytes: number }[] {
    return Object.entries(optionsOf(limits)).map(([name, options]) => ({ name, bytes: ConcurrentMap.bytes(options) }));
  }

  static create(limits: StoreLimits): Stores {
    const options = optionsOf(limits);
    return new Stores(
      {
        keys: new ConcurrentMap(options.keys),
        channels: new ConcurrentMap(options.channels),
        patterns: new ConcurrentMap(options.patterns),
        sessions: new ConcurrentMap<'fd-sequence', 'json', SessionRecord>(options.sessions),
        subscriptions: new ConcurrentMap<'fd-sequence', 'json', SubscriptionRecord>(options.subscriptions),
        totals: new ConcurrentMap<'string', 'json', SymbolTotals>(options.totals),
      },
      new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      new Board(),
    );
  }

  static attach({ maps, patternVersion, board }: StoreTokens): Stores {
    return new Stores(
      {
        keys: ConcurrentMap.attach(maps.keys),
        channels: ConcurrentMap.attach(maps.channels),
        patterns: ConcurrentMap.attach(maps.patterns),
        sessions: ConcurrentMap.attach(maps.sessions),
        subscriptions: ConcurrentMap.attach(maps.subscriptions),
        totals: ConcurrentMap.attach(maps.totals),
      },
      patternVersion,
      new Board(board),
    );
  }

  share(): StoreTokens {
    const { keys, channels, patterns, sessions, subscriptions, totals } = this.#maps;
    return {
      maps: {
        keys: keys.share(),
        channels: channels.share(),
        patterns: patterns.share(),
        sessions: sessions.share(),
        subscriptions: subscriptions.share(),
        totals: totals.share(),
      },
      patternVersion: this.#patternVersion.buffer,
      board: this.board.buffer,
    };
  }

  /** Bytes of the plan with something in them. */
  get usedBytes(): number {
    return Object.values(this.#maps).reduce((sum, map) => sum + map.stats().usedBytes, 0);
  }

  close(): void {
    for (const map of Object.values(this.#maps)) map.close();
  }
}

function optionsOf({ maxKeyBytes, maxNameBytes, maxClients }: StoreLimits) {
  const sessionBytes = Math.max(MIB, maxClients * SESSION_BYTES);
  return {
    keys: { key: 'string', value: 'bytes', maxBytes: maxKeyBytes },
    channels: { key: 'string', value: 'f64', maxBytes: maxNameBytes },
    patterns: { key: 'string', value: 'f64', maxBytes: MIB, capacity: MAX_PATTERNS },
    sessions: { key: 'fd-sequence', value: 'json', maxBytes: sessionBytes, capacity: maxClients },
    subscriptions: { key: 'fd-sequence', value: 'json', maxBytes: maxNameBytes },
    totals: { key: 'string', value: 'json', maxBytes: MAX_TOTALS_BYTES },
  } as const;
}
