import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { raw, type Framing } from '@millrace/framing';
import { framingToNative } from '@millrace/framing/internal';
import { checkBoolean, checkObject, checkOneOf, checkString, integerOption } from '@millrace/native';
import { makeError } from './errors.js';
import { checkHandler } from './load-handler.js';
import type { AnyHandler, ServerOptions } from './types.js';

const MAX_U32 = 2 ** 32 - 1;
const MAX_BYTES = 2 ** 32 - 64 * 1024;
const SLOW_CONSUMER = ['pause', 'disconnect', 'drop-oldest', 'conflate'] as const;

/** Descriptors that something else in the process may have, beside the connections'. */
const OTHER_DESCRIPTORS = 4096;

/** Options with everything filled in and checked; `numbers` is what the addon gets, in its order. */
export interface CheckedOptions {
  /** The handler itself, or the specifier of its module. */
  readonly handler: AnyHandler | string;
  readonly workers: number;
  readonly framing: Framing;
  readonly framingWords: Uint32Array;
  readonly numbers: Float64Array;
  readonly inboxCapacity: number;
  readonly maxBytes: number;
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  readonly warnAfterMs: number;
  readonly stuckAfterMs: number;
  readonly reusePort: boolean;
  readonly workerData: unknown;
  readonly workerOptions: Pick<
    Extract<ServerOptions, { handler: URL | string }>,
    'resourceLimits' | 'env' | 'execArgv'
  >;
}

export function checkOptions(given: ServerOptions): CheckedOptions {
  const options = checkObject('options', given) as ServerOptions & CheckedOptions['workerOptions'];
  checkTopology(options);
  const handler = checkHandlerOption(options.handler);
  const isObject = typeof handler !== 'string';
  const workers = integerOption('options.workers', options.workers, {
    min: 0,
    max: 64,
    default: isObject ? 0 : Math.max(1, availableParallelism() - 1),
  });
  if (isObject && workers > 0) {
    throw makeError(
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.workers' must be 0 where 'options.handler' is an object, which cannot travel to other ` +
        `threads. Received ${workers}. Give the handler as the URL of a module`,
      { ErrorType: TypeError },
    );
  }
  const framing = options.framing ?? raw();
  const framingWords = framingToNative(framing);
  const limits = checkLimits(options, workers);
  const { resourceLimits, env, execArgv } = checkWorkerOptions(options);
  return {
    ...limits,
    handler,
    workers,
    framing,
    framingWords,
    warnAfterMs: integerOption('options.warnAfterMs', options.warnAfterMs, { min: 0, max: MAX_U32, default: 100 }),
    stuckAfterMs: integerOption('options.stuckAfterMs', options.stuckAfterMs, { min: 0, max: MAX_U32, default: 2000 }),
    reusePort: checkBoolean('options.reusePort', options.reusePort ?? false),
    workerData: options.workerData,
    workerOptions: {
      ...(resourceLimits !== undefined && { resourceLimits }),
      ...(env !== undefined && { env }),
      ...(execArgv !== undefined && { execArgv }),
    },
  };
}

function checkWorkerOptions(options: CheckedOptions['workerOptions']): CheckedOptions['workerOptions'] {
  const { resourceLimits, env, execArgv } = options;
  if (resourceLimits !== undefined) checkObject('options.resourceLimits', resourceLimits);
  if (env !== undefined) checkObject('options.env', env);
  if (execArgv === undefined) return options;
  if (!Array.isArray(execArgv)) {
    throw makeError(
      'ERR_INVALID_ARG_TYPE',
      `The "options.execArgv" property must be an array of strings. Received ${inspect(execArgv)}`,
      { ErrorType: TypeError },
    );
  }
  execArgv.forEach((value, i) => checkString(`options.execArgv[${i}]`, value));
  return options;
}

function checkTopology(options: ServerOptions): void {
  const topology = checkOneOf('options.topology', options.topology ?? 'auto', ['auto', 'staged', 'reactor', 'inline']);
  if (topology === 'reactor' || topology === 'inline') {
    throw makeError('ERR_SERVER_TOPOLOGY', `Topology '${topology}' is not there yet: use 'staged' or 'auto'`);
  }
  if (checkOneOf('options.dispatch', options.dispatch ?? 'sticky', ['sticky', 'shared']) === 'shared') {
    throw makeError('ERR_SERVER_TOPOLOGY', `Dispatch 'shared' is not there yet: use 'sticky'`);
  }
  integerOption('options.ioThreads', options.ioThreads, { min: 1, max: 64, default: 1 });
}

function checkHandlerOption(handler: unknown): AnyHandler | string {
  if (handler instanceof URL) {
    if (handler.protocol === 'file:') fileURLToPath(handler);
    return handler.href;
  }
  if (typeof handler !== 'string') return checkHandler('options.handler', handler);
  if (/^(?:file|data|node):/.test(handler)) return handler;
  return pathToFileURL(isAbsolute(handler) ? handler : resolve(handler)).href;
}

/** A group of options; none of it need be given. */
function section<Options extends object>(name: string, options: Options | undefined): Partial<Options> {
  return options === undefined ? {} : checkObject(`options.${name}`, options);
}

type Limits = Pick<CheckedOptions, 'numbers' | 'inboxCapacity' | 'maxBytes' | 'highWaterBytes' | 'lowWaterBytes'>;

function checkLimits(options: ServerOptions, workers: number): Limits {
  const connection = section('connection', options.connection);
  const memory = section('memory', options.memory);
  const queues = section('queues', options.queues);
  const capacity = (name: 'work' | 'receive' | 'send') => section(`queues.${name}`, queues[name]).capacity;
  const at = (name: string, value: number | undefined, fallback: number, min = 0, max = MAX_U32): number =>
    integerOption(`options.${name}`, value, { min, max, default: fallback });

  const maxConnections = at('maxConnections', options.maxConnections, 10_000, 1, 1_000_000);
  const maxBytes = at('memory.maxBytes', memory.maxBytes, 256 * 2 ** 20, 4 * 2 ** 20, MAX_BYTES);
  const work = at('queues.work.capacity', capacity('work'), 4096, 64, 2 ** 20);
  const inboxCapacity = 2 ** Math.ceil(Math.log2(work));
  // They hold keys, one a connection: a wish below that has no meaning, one above it costs nothing.
  at('queues.receive.capacity', capacity('receive'), maxConnections, 1);
  at('queues.send.capacity', capacity('send'), maxConnections, 1);
  const highWaterBytes = at('connection.highWaterBytes', connection.highWaterBytes, 64 * 1024, 1, 2 ** 30);
  const lowWaterBytes = at(
    'connection.lowWaterBytes',
    connection.lowWaterBytes,
    Math.floor(highWaterBytes / 4),
    0,
    highWaterBytes,
  );
  const slowConsumer = checkOneOf('options.connection.slowConsumer', connection.slowConsumer ?? 'pause', SLOW_CONSUMER);
  const numbers = Float64Array.of(
    Math.max(1, workers),
    maxConnections,
    maxConnections + OTHER_DESCRIPTORS,
    maxBytes,
    inboxCapacity,
    at('maxSubscriptions', options.maxSubscriptions, 4 * maxConnections, 0, 2 ** 24),
    at('maxConnectionsPerAddress', options.maxConnectionsPerAddress, 0),
    at('acceptRate', options.acceptRate, 0),
    at('idleTimeoutMs', options.idleTimeoutMs, 0),
    at('firstByteTimeoutMs', options.firstByteTimeoutMs, 0),
    at('maxLifetimeMs', options.maxLifetimeMs, 0),
    at('connection.readBudgetBytes', connection.readBudgetBytes, 64 * 1024, 1, 2 ** 30),
    at('connection.readBudgetUs', connection.readBudgetUs, 200),
    highWaterBytes,
    lowWaterBytes,
    at('connection.maxWriteBytes', connection.maxWriteBytes, 16 * 2 ** 20, 0, 2 ** 30),
    SLOW_CONSUMER.indexOf(slowConsumer),
    checkBoolean('options.noDelay', options.noDelay ?? true) ? 1 : 0,
  );
  return { numbers, inboxCapacity, maxBytes, highWaterBytes, lowWaterBytes };
}
