import { ConcurrentMap, type SharedToken } from '@millrace/concurrent-map';
import { Board } from './board.js';
import { Channels, type CountMap, type PatternVersion } from './channels.js';
import type { SymbolTotals } from './feed/symbol-state.js';
import { Keyspace, type KeyspaceMap } from './keyspace.js';
import { Sessions, type SessionMap, type SessionRecord } from './sessions.js';

type TotalsMap = ConcurrentMap<'string', 'json', SymbolTotals>;
type CountToken = SharedToken<'concurrent-map', { key: 'string'; value: 'f64'; json: unknown }>;

/** How the shared structures are opened on another thread of the process. */
export interface StoreTokens {
  readonly keys: SharedToken<'concurrent-map', { key: 'string'; value: 'bytes'; json: unknown }>;
  readonly channels: CountToken;
  readonly patterns: CountToken;
  readonly sessions: SharedToken<'concurrent-map', { key: 'fd-sequence'; value: 'json'; json: SessionRecord }>;
  readonly totals: SharedToken<'concurrent-map', { key: 'string'; value: 'json'; json: SymbolTotals }>;
  readonly patternVersion: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
}

export interface StoreLimits {
  readonly maxKeyBytes: number;
  readonly maxClients: number;
}

const MAX_CHANNELS = 65_536;
/** Each message is compared with each pattern. */
const MAX_PATTERNS = 4096;
const MAX_SYMBOLS = 16_384;
const NAME_BYTES = 128;
const SESSION_BYTES = 512;
const TOTALS_BYTES = 512;

interface Maps {
  readonly keys: KeyspaceMap;
  readonly channels: CountMap;
  readonly patterns: CountMap;
  readonly sessions: SessionMap;
  readonly totals: TotalsMap;
}

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
    this.sessions = new Sessions(maps.sessions, this.channels);
    this.totals = maps.totals;
    this.board = board;
  }

  /** The most bytes the maps take, part by part. */
  static plan({ maxKeyBytes, maxClients }: StoreLimits): { name: string; bytes: number }[] {
    return [
      { name: 'keys', bytes: maxKeyBytes },
      { name: 'channels', bytes: MAX_CHANNELS * NAME_BYTES },
      { name: 'patterns', bytes: MAX_PATTERNS * NAME_BYTES },
      { name: 'sessions', bytes: maxClients * SESSION_BYTES },
      { name: 'totals', bytes: MAX_SYMBOLS * TOTALS_BYTES },
    ];
  }

  static create(limits: StoreLimits): Stores {
    const [keys, channels, patterns, sessions, totals] = Stores.plan(limits).map(({ bytes }) => bytes);
    return new Stores(
      {
        keys: new ConcurrentMap({ key: 'string', value: 'bytes', maxBytes: keys! }),
        channels: new ConcurrentMap({ key: 'string', value: 'f64', capacity: MAX_CHANNELS, maxBytes: channels! }),
        patterns: new ConcurrentMap({ key: 'string', value: 'f64', capacity: MAX_PATTERNS, maxBytes: patterns! }),
        sessions: new ConcurrentMap<'fd-sequence', 'json', SessionRecord>({
          key: 'fd-sequence',
          value: 'json',
          capacity: limits.maxClients,
          maxBytes: sessions!,
        }),
        totals: new ConcurrentMap<'string', 'json', SymbolTotals>({
          key: 'string',
          value: 'json',
          capacity: MAX_SYMBOLS,
          maxBytes: totals!,
        }),
      },
      new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      new Board(),
    );
  }

  static attach(tokens: StoreTokens): Stores {
    return new Stores(
      {
        keys: ConcurrentMap.attach(tokens.keys),
        channels: ConcurrentMap.attach(tokens.channels),
        patterns: ConcurrentMap.attach(tokens.patterns),
        sessions: ConcurrentMap.attach(tokens.sessions),
        totals: ConcurrentMap.attach(tokens.totals),
      },
      tokens.patternVersion,
      new Board(tokens.board),
    );
  }

  share(): StoreTokens {
    return {
      keys: this.#maps.keys.share(),
      channels: this.#maps.channels.share(),
      patterns: this.#maps.patterns.share(),
      sessions: this.#maps.sessions.share(),
      totals: this.#maps.totals.share(),
      patternVersion: this.#patternVersion.buffer,
      board: this.board.buffer,
    };
  }

  close(): void {
    for (const map of Object.values(this.#maps)) map.close();
  }
}
