import { availableParallelism } from 'node:os';
import { parseDuration, parseSize } from './units.js';

/** What feeds the gateway. */
export type FeedSource =
  | { readonly kind: 'none' }
  | { readonly kind: 'synthetic'; readonly perSecond: number }
  | { readonly kind: 'file'; readonly path: string };

export interface Config {
  host: string;
  port: number;
  /** Undefined: no admin listener. */
  adminPort: number | undefined;
  workers: number;
  topology: 'auto' | 'staged';
  feed: FeedSource;
  /** How many times faster than it was recorded a file is replayed; Infinity: as fast as the workers take it. */
  speed: number;
  feedWorkers: number;
  seed: number;
  maxMemoryBytes: number;
  idleTimeoutMs: number;
  maxClients: number;
  logLevel: string;
}

export interface Option<Name extends keyof Config = keyof Config> {
  /** As a flag; `MILLRACE_ADMIN_PORT` is the environment's `--admin-port`. */
  readonly flag: string;
  readonly name: Name;
  readonly value: string;
  readonly fallback: string;
  readonly help: string;
  /** What a value must look like, for the message about one that does not. */
  readonly expects: string;
  /** Undefined when the text is no such value. */
  readonly parse: (text: string) => { readonly value: Config[Name] } | undefined;
}

const MAX_PORT = 65_535;
const MAX_WORKERS = 128;
const MAX_RATE = 1_000_000;
const MIN_MEMORY_BYTES = 64 * 1024 ** 2;
const MAX_MEMORY_BYTES = 4 * 1024 ** 3;

const whole = (min: number, max: number) => (text: string) => {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? { value } : undefined;
};

function oneOf<T extends string>(...values: readonly T[]) {
  return (text: string) => {
    const value = values.find((each) => each === text);
    return value === undefined ? undefined : { value };
  };
}

function within(value: number | undefined, min: number, max: number): { value: number } | undefined {
  return value !== undefined && value >= min && value <= max ? { value } : undefined;
}

function parseFeed(text: string): { value: FeedSource } | undefined {
  if (text === 'none') return { value: { kind: 'none' } };
  const [kind, rest] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
  if (kind === 'file' && rest !== '') return { value: { kind, path: rest } };
  const rate = whole(1, MAX_RATE)(rest);
  return kind === 'synthetic' && rate !== undefined ? { value: { kind, perSecond: rate.value } } : undefined;
}

function parseSpeed(text: string): { value: number } | undefined {
  if (text === 'max') return { value: Infinity };
  return within(/^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : undefined, 0.001, 1_000_000);
}

function option<Name extends keyof Config>(
  name: Name,
  flag: string,
  value: string,
  fallback: string,
  help: string,
  expects: string,
  parse: Option<Name>['parse'],
): Option {
  return { name, flag, value, fallback, help, expects, parse };
}

const port = whole(0, MAX_PORT);
const workers = String(Math.max(1, availableParallelism() - 1));

/** Everything that can be set: by flag, by environment, in the configuration file. */
export const options: readonly Option[] = [
  option('host', 'host', 'ADDRESS', '127.0.0.1', 'address to listen on', 'an address or a host name', (text) =>
    /^\S+$/.test(text) ? { value: text } : undefined,
  ),
  option('port', 'port', 'N', '6390', 'port for Redis clients; 0: any free one', 'a port, 0 to 65535', port),
  option(
    'adminPort',
    'admin-port',
    'N|off',
    '8090',
    'port for /metrics and the like; 0: any free one',
    'a port, 0 to 65535, or off',
    (text) => (text === 'off' ? { value: undefined } : port(text)),
  ),
  option(
    'workers',
    'workers',
    'N',
    workers,
    'threads that run commands; 0: the main thread',
    `a number of threads, 0 to ${MAX_WORKERS}`,
    whole(0, MAX_WORKERS),
  ),
  option(
    'topology',
    'topology',
    'NAME',
    'auto',
    'how stages are placed on threads: auto, staged (reactor and inline are not there yet)',
    'auto or staged (reactor and inline are not there yet)',
    oneOf('auto', 'staged'),
  ),
  option(
    'feed',
    'feed',
    'SOURCE',
    'synthetic:20000',
    'market data: synthetic:RATE, file:PATH or none',
    'synthetic:RATE (messages a second, up to a million), file:PATH or none',
    parseFeed,
  ),
  option(
    'speed',
    'speed',
    'N|max',
    '1',
    'how much faster than recorded a file is replayed',
    'a factor such as 1 or 10, or max',
    parseSpeed,
  ),
  option(
    'feedWorkers',
    'feed-workers',
    'N',
    '1',
    'threads that handle the feed',
    `a number of threads, 1 to ${MAX_WORKERS}`,
    whole(1, MAX_WORKERS),
  ),
  option(
    'seed',
    'feed-seed',
    'N',
    '1',
    'seed of the synthetic feed',
    'a whole number below 2^32',
    whole(0, 2 ** 32 - 1),
  ),
  option(
    'maxMemoryBytes',
    'max-memory',
    'SIZE',
    '256mb',
    'bound of the native memory',
    'a size from 64mb to 4gb',
    (text) => within(parseSize(text), MIN_MEMORY_BYTES, MAX_MEMORY_BYTES),
  ),
  option(
    'idleTimeoutMs',
    'idle-timeout',
    'TIME',
    '5m',
    'closes connections that were silent so long; 0: never',
    'a time such as 500ms, 30s, 5m or 0',
    (text) => within(parseDuration(text), 0, Number.MAX_SAFE_INTEGER),
  ),
  option(
    'maxClients',
    'max-clients',
    'N',
    '20000',
    'connections at a time',
    'a number of connections, 1 to 1000000',
    whole(1, 1_000_000),
  ),
  option(
    'logLevel',
    'log-level',
    'LEVEL',
    'info',
    'trace, debug, info, warn, error, fatal or silent',
    'trace, debug, info, warn, error, fatal or silent',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  ),
];

export function environmentName(flag: string): string {
  return `MILLRACE_${flag.toUpperCase().replaceAll('-', '_')}`;
}
