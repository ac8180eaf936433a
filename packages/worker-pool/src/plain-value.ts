import { Kind } from './layout.js';

/** The kind of a value that needs no memory; `Posted`: it needs some. */
export function plainKind(value: unknown): Kind {
  switch (value) {
    case undefined:
      return Kind.Undefined;
    case null:
      return Kind.Null;
    case false:
      return Kind.False;
    case true:
      return Kind.True;
    default:
      return Kind.Posted;
  }
}

const PLAIN_VALUES = [undefined, null, false, true];

export function plainValue(kind: Kind): unknown {
  return PLAIN_VALUES[kind];
}
