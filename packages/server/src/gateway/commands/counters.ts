import type { Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import type { Command } from '../command-table.js';
import { negateInteger, parseInteger, type Integer } from '../integers.js';

const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';

function add({ reply, services }: Client, args: Arguments, delta: Integer): void {
  const sum = services.keyspace.increment(args.partLatin1(1), delta);
  if (sum === 'not-integer') reply.error(NOT_AN_INTEGER);
  else if (sum === 'overflow') reply.error('ERR increment or decrement would overflow');
  else reply.integer(sum);
}

function incrby(client: Client, args: Arguments): void {
  const delta = parseInteger(args.part(2));
  if (delta === undefined) client.reply.error(NOT_AN_INTEGER);
  else add(client, args, delta);
}

function decrby(client: Client, args: Arguments): void {
  const delta = parseInteger(args.part(2));
  if (delta === undefined) {
    client.reply.error(NOT_AN_INTEGER);
    return;
  }
  const negated = negateInteger(delta);
  if (negated === undefined) client.reply.error('ERR decrement would overflow');
  else add(client, args, negated);
}

export const counterCommands: readonly Command[] = [
  { name: 'incr', arity: 2, run: (client, args) => add(client, args, 1) },
  { name: 'decr', arity: 2, run: (client, args) => add(client, args, -1) },
  { name: 'incrby', arity: 3, run: incrby },
  { name: 'decrby', arity: 3, run: decrby },
];
