import { optionAt, shownAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import type { Command } from '../command-table.js';
import { expiryTtl, type TimeUnit } from '../expiry.js';
import type { ExpiryCondition } from '../keyspace.js';

function expire(unit: TimeUnit, command: string): Command['run'] {
  return ({ reply, services }, args) => {
    const options = parseOptions(args);
    if (typeof options === 'string') {
      reply.error(options);
      return;
    }
    const ttlMs = expiryTtl(args.part(2), unit, command);
    if (typeof ttlMs === 'string') {
      reply.error(ttlMs);
      return;
    }
    const set = services.keyspace.expire(args.partLatin1(1), ttlMs, conditionOf(options, ttlMs));
    reply.integer(set ? 1 : 0);
  };
}

function parseOptions(args: Arguments): ReadonlySet<string> | string {
  const options = new Set<string>();
  for (let i = 3; i < args.partCount; i++) {
    const option = optionAt(args, i);
    if (!['NX', 'XX', 'GT', 'LT'].includes(option)) return `ERR Unsupported option ${shownAt(args, i)}`;
    options.add(option);
  }
  if (options.has('NX') && options.size > 1) {
    return 'ERR NX and XX, GT or LT options at the same time are not compatible';
  }
  if (options.has('GT') && options.has('LT')) return 'ERR GT and LT options at the same time are not compatible';
  return options;
}

/** A key without a time to live counts as one that lives for ever. */
function conditionOf(options: ReadonlySet<string>, ttlMs: number): ExpiryCondition | undefined {
  if (options.size === 0) return undefined;
  return (current) => {
    if (options.has('NX')) return current === undefined;
    if (options.has('XX') && current === undefined) return false;
    if (options.has('GT')) return current !== undefined && ttlMs > current;
    if (options.has('LT')) return current === undefined || ttlMs < current;
    return true;
  };
}

function ttl({ reply, services }: Client, args: Arguments): void {
  const left = services.keyspace.ttlMs(args.partLatin1(1));
  reply.integer(left < 0 ? left : Math.floor((left + 500) / 1000));
}

function pttl({ reply, services }: Client, args: Arguments): void {
  reply.integer(Math.floor(services.keyspace.ttlMs(args.partLatin1(1))));
}

function persist({ reply, services }: Client, args: Arguments): void {
  reply.integer(services.keyspace.persist(args.partLatin1(1)) ? 1 : 0);
}

export const expirationCommands: readonly Command[] = [
  { name: 'expire', arity: -3, run: expire('seconds', 'expire') },
  { name: 'pexpire', arity: -3, run: expire('milliseconds', 'pexpire') },
  { name: 'ttl', arity: 2, run: ttl },
  { name: 'pttl', arity: 2, run: pttl },
  { name: 'persist', arity: 2, run: persist },
];
