import { inspect } from 'node:util';
import { checkInteger, codedError } from '@millrace/native';

export function checkDescriptor(fd: unknown): number {
  return checkInteger('fd', fd, 0, 0x7fffffff);
}

/** Takes negative numbers too: what JavaScript's `|` makes of flags with EPOLLET, the highest bit. */
export function checkEvents(events: unknown): number {
  return checkInteger('events', events, -0x80000000, 0xffffffff) >>> 0;
}

/** Room for at least one pair of a descriptor and its events. */
export function checkPairs(out: unknown): Uint32Array {
  if (!(out instanceof Uint32Array)) {
    const message = `The "out" argument must be an instance of Uint32Array. Received ${inspect(out, { depth: -1 })}`;
    throw codedError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
  }
  checkInteger('out.length', out.length, 2);
  return out;
}
