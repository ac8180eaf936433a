/**
 * Errors on their way from a worker to the main thread. A structured clone keeps name, message and stack
 * of an Error, and loses its `code` and whatever else it has; and one property that cannot be cloned
 * would lose the whole report.
 */
import { asError } from './errors.js';

type Plain = string | number | boolean | bigint | null | undefined;

/** @internal */
export interface ErrorMessage {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly own: Readonly<Record<string, Plain>>;
  readonly cause: ErrorMessage | undefined;
}

const TYPES: Readonly<Record<string, ErrorConstructor>> = { TypeError, RangeError, SyntaxError, ReferenceError };
/** Causes of causes that are passed on. */
const DEPTH = 8;

export function packError(thrown: unknown, depth = 0): ErrorMessage {
  const error = asError(thrown);
  const own: Record<string, Plain> = {};
  for (const key of Object.keys(error)) {
    const value = attempt(() => (error as unknown as Record<string, unknown>)[key]);
    if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')) {
      own[key] = value as Plain;
    }
  }
  const cause = attempt(() => error.cause);
  return {
    name: attempt(() => String(error.name)) ?? 'Error',
    message: attempt(() => String(error.message)) ?? '',
    stack: attempt(() => (error.stack === undefined ? undefined : String(error.stack))),
    own,
    cause: cause === undefined || depth === DEPTH ? undefined : packError(cause, depth + 1),
  };
}

/** undefined where the application's getter or toString() throws. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

export function unpackError({ name, message, stack, own, cause }: ErrorMessage): Error {
  const ErrorType = TYPES[name] ?? Error;
  const error = new ErrorType(message, cause === undefined ? {} : { cause: unpackError(cause) });
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, own);
}
