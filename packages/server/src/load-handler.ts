import { makeError } from './errors.js';
import type { AnyHandler } from './types.js';

const MEMBERS = ['start', 'stop', 'data', 'open', 'message', 'drain', 'close', 'error'] as const;

/** A handler object, checked. @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkHandler(name: string, handler: unknown): AnyHandler {
  if (typeof handler !== 'object' || handler === null) {
    throw typeError(`The "${name}" argument must be an object with handler functions. Received ${describe(handler)}`);
  }
  for (const member of MEMBERS) {
    const value = (handler as Record<string, unknown>)[member];
    if (value === undefined || typeof value === 'function') continue;
    throw typeError(`The "${name}.${member}" property must be a function. Received ${describe(value)}`);
  }
  return handler as AnyHandler;
}

/**
 * The default export of a module; unwrapped twice where a compiled CommonJS module is imported.
 *
 * @param specifier - a file URL or an absolute path
 * @throws Error `ERR_WORKER_MODULE`, with `cause`
 */
export async function loadHandler(specifier: string): Promise<AnyHandler> {
  try {
    const module = (await import(specifier)) as { default?: { default?: unknown } };
    return checkHandler('default', module.default?.default ?? module.default);
  } catch (cause) {
    throw makeError('ERR_WORKER_MODULE', `The handler module ${specifier} did not load: ${String(cause)}`, { cause });
  }
}

function typeError(message: string): Error {
  return makeError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
