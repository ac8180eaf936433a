const CLASSES = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
] as const;
const DEEPEST_CAUSE = 8;

/** An error on its way between threads: a structured clone would lose its `code` and all but the standard classes. */
export interface ErrorReport {
  /** Index of the standard class that it is an instance of; −1: it is no Error at all, and `value` is what it was. */
  class: number;
  name: string;
  message: string;
  stack: string | undefined;
  /** Its own enumerable properties, as far as they are of primitive types: `code`, `errno`, `path`. */
  properties: Record<string, unknown>;
  cause?: ErrorReport | undefined;
  errors?: ErrorReport[] | undefined;
  value?: unknown;
}

/** @internal What was thrown, ready to be posted, unless it is no Error and cannot be cloned. */
export function reportOf(thrown: unknown, depth = 0): ErrorReport {
  if (!(thrown instanceof Error)) {
    return { class: -1, name: '', message: '', stack: undefined, properties: {}, value: thrown };
  }
  const properties: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(thrown)) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')) {
      properties[key] = value;
    }
  }
  // A DOMException has it on its prototype.
  const { code } = thrown as { code?: unknown };
  if (typeof code === 'string' || typeof code === 'number') properties['code'] = code;
  const deeper = depth < DEEPEST_CAUSE;
  const { cause } = thrown;
  return {
    class: Math.max(
      0,
      CLASSES.findLastIndex((one) => thrown instanceof one),
    ),
    name: nameOf(thrown),
    message: thrown.message,
    stack: thrown.stack,
    properties,
    ...(cause !== undefined && deeper && { cause: reportOf(cause, depth + 1) }),
    ...(thrown instanceof AggregateError && deeper && { errors: thrown.errors.map((one) => reportOf(one, depth + 1)) }),
  };
}

// A class of one's own seldom sets the name, which then is its parent's.
function nameOf(error: Error): string {
  const own = (error.constructor as { name?: unknown } | undefined)?.name;
  const standard = CLASSES.some((one) => one.name === error.name);
  return standard && typeof own === 'string' && own !== '' ? own : error.name;
}

/** @internal The error again: of the same standard class, with the worker's stack. */
export function errorOf(report: ErrorReport): unknown {
  if (report.class < 0) return report.value;
  const ErrorClass = CLASSES[report.class]!;
  const error =
    ErrorClass === AggregateError
      ? new AggregateError((report.errors ?? []).map(errorOf), report.message)
      : new (ErrorClass as new (message: string) => Error)(report.message);
  define(error, 'name', report.name);
  define(error, 'stack', report.stack);
  if (report.cause !== undefined) define(error, 'cause', errorOf(report.cause));
  return Object.assign(error, report.properties);
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true });
}
