import { readFileSync } from 'node:fs';

/**
 * How many pieces of so many bytes lie in the writable mappings of this process: the system makes one of neighbours. Of
 * 1 GiB or so, that neither the runtime nor the slabs of other tests come near.
 */
export function mappings(bytes: number): number {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .map((line) => /^(\w+)-(\w+) rw/.exec(line))
    .filter((match) => match !== null)
    .map(([, from, to]) => Number(BigInt(`0x${to}`) - BigInt(`0x${from}`)))
    .reduce((sum, mapped) => sum + Math.floor(mapped / bytes), 0);
}
