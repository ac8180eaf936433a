import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { inspect } from 'node:util';
import { checkBoolean, checkInteger, checkObject, checkString, integerOption } from '@millrace/native';
import { makeError } from './errors.js';

export type ListenOptions = (
  { port?: number; host?: string; backlog?: number; ipv6Only?: boolean } | { path: string } | { fd: number }
) & { signal?: AbortSignal };

const BACKLOG = 511;

/** What the addon's listen() takes. kind 0: host and port, 1: path, 2: descriptor (then `value` is it). */
export interface CheckedListen {
  readonly kind: 0 | 1 | 2;
  readonly host: string | undefined;
  readonly path: string;
  readonly value: number;
  readonly backlog: number;
  readonly ipv6Only: boolean;
  readonly signal: AbortSignal | undefined;
}

export function checkListenOptions(given: ListenOptions): CheckedListen {
  const options = checkObject('options', given) as {
    port?: number;
    host?: string;
    backlog?: number;
    ipv6Only?: boolean;
    path?: string;
    fd?: number;
    signal?: AbortSignal;
  };
  const signal = checkSignal('options.signal', options.signal);
  const common = {
    backlog: integerOption('options.backlog', options.backlog, { min: 1, max: 65535, default: BACKLOG }),
    ipv6Only: checkBoolean('options.ipv6Only', options.ipv6Only ?? false),
    signal,
    host: undefined,
    path: '',
    value: 0,
  };
  if (options.path !== undefined) return { ...common, kind: 1, path: checkPath(options.path) };
  if (options.fd !== undefined) return { ...common, kind: 2, value: checkInteger('options.fd', options.fd, 0) };
  return {
    ...common,
    kind: 0,
    host: options.host === undefined ? undefined : checkString('options.host', options.host),
    value: integerOption('options.port', options.port, { min: 0, max: 65535, default: 0 }),
  };
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` if there is one and it is none */
export function checkSignal(name: string, signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || typeof (signal as Partial<AbortSignal> | null)?.addEventListener === 'function')
    return signal;
  throw makeError(
    'ERR_INVALID_ARG_TYPE',
    `The "${name}" property must be an AbortSignal. Received ${inspect(signal)}`,
    {
      ErrorType: TypeError,
    },
  );
}

function checkPath(path: string): string {
  if (checkString('options.path', path) !== '') return path;
  throw makeError('ERR_INVALID_ARG_VALUE', `The property 'options.path' must not be empty. Received ''`, {
    ErrorType: TypeError,
  });
}

/** A numeric address for the addon; '' is every address. @throws the system's `ENOTFOUND` for an unknown name */
export async function resolveHost(host: string | undefined): Promise<string> {
  if (host === undefined || host === '') return '';
  if (isIP(host) !== 0) return host;
  return (await lookup(host)).address;
}
