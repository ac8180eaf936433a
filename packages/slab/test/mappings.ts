import { readFileSync } from 'node:fs';

/** How many mappings of exactly so many bytes this process has. */
export function mappings(bytes: number): number {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .map((line) => /^(\w+)-(\w+) /.exec(line))
    .filter((match) => match && BigInt(`0x${match[2]}`) - BigInt(`0x${match[1]}`) === BigInt(bytes)).length;
}
