import { optionAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import type { Command } from '../command-table.js';
import { absoluteTtl, relativeTtl, type TimeUnit } from '../expiry.js';
import type { SetRequest } from '../keyspace.js';

const SYNTAX_ERROR = 'ERR syntax error';

function get({ reply, services }: Client, args: Arguments): void {
  const value = services.keyspace.peek(args.partLatin1(1));
  if (value === undefined) reply.nil();
  else reply.bulk(value);
}

function set(client: Client, args: Arguments): void {
  const { keyspace } = client.services;
  if (args.partCount === 3) {
    keyspace.put(args.partLatin1(1), args.part(2));
    client.reply.ok();
    return;
  }
  const options = parseSetOptions(args);
  if (typeof options === 'string') {
    client.reply.error(options);
    return;
  }
  const key = args.partLatin1(1);
  const { done, old } = keyspace.set(key, args.part(2), options);
  // A moment that has passed already: set, and gone.
  if (done && options.ttlMs !== 'keep' && options.ttlMs !== undefined && options.expired) keyspace.delete(key);
  if (options.wantsOld) answer(client, old);
  else if (done) client.reply.ok();
  else client.reply.nil();
}

interface SetOptions extends SetRequest {
  /** EXAT or PXAT named a moment in the past. */
  expired: boolean;
}

const TIME_OPTIONS: Readonly<Record<string, { unit: TimeUnit; absolute: boolean }>> = {
  EX: { unit: 'seconds', absolute: false },
  PX: { unit: 'milliseconds', absolute: false },
  EXAT: { unit: 'seconds', absolute: true },
  PXAT: { unit: 'milliseconds', absolute: true },
};

function parseSetOptions(args: Arguments): SetOptions | string {
  const options: SetOptions = { wantsOld: false, expired: false };
  let time: string | undefined;
  let timeIndex = 0;
  for (let i = 3; i < args.partCount; i++) {
    const option = optionAt(args, i);
    if (option === 'NX' && options.condition !== 'present') {
      options.condition = 'absent';
    } else if (option === 'XX' && options.condition !== 'absent') {
      options.condition = 'present';
    } else if (option === 'GET') {
      options.wantsOld = true;
    } else if (option === 'KEEPTTL' && time === undefined) {
      options.ttlMs = 'keep';
    } else if (
      Object.hasOwn(TIME_OPTIONS, option) &&
      options.ttlMs === undefined &&
      (time === undefined || time === option) &&
      i + 1 < args.partCount
    ) {
      time = option;
      timeIndex = ++i;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return time === undefined ? options : withTime(options, time, args.part(timeIndex));
}

function withTime(options: SetOptions, option: string, bytes: Uint8Array): SetOptions | string {
  const { unit, absolute } = TIME_OPTIONS[option]!;
  const ttlMs = absolute ? absoluteTtl(bytes, unit, 'set') : relativeTtl(bytes, unit, 'set');
  if (typeof ttlMs === 'string') return ttlMs;
  options.expired = ttlMs <= 0;
  options.ttlMs = Math.max(1, ttlMs);
  return options;
}

function getset(client: Client, args: Arguments): void {
  answer(client, client.services.keyspace.set(args.partLatin1(1), args.part(2), {}).old);
}

function mget({ reply, services }: Client, args: Arguments): void {
  reply.array(args.partCount - 1);
  for (let i = 1; i < args.partCount; i++) {
    const value = services.keyspace.peek(args.partLatin1(i));
    if (value === undefined) reply.nil();
    else reply.bulk(value);
  }
}

/** One key after another: another client may see the first without the last. */
function mset({ reply, services }: Client, args: Arguments): void {
  if (args.partCount % 2 === 0) {
    reply.error("ERR wrong number of arguments for 'mset' command");
    return;
  }
  for (let i = 1; i < args.partCount; i += 2) services.keyspace.put(args.partLatin1(i), args.part(i + 1));
  reply.ok();
}

function append({ reply, services }: Client, args: Arguments): void {
  const length = services.keyspace.append(args.partLatin1(1), args.part(2));
  if (length === undefined) reply.error('ERR string exceeds maximum allowed size (proto-max-bulk-len)');
  else reply.integer(length);
}

function strlen({ reply, services }: Client, args: Arguments): void {
  reply.integer(services.keyspace.peek(args.partLatin1(1))?.length ?? 0);
}

function answer({ reply }: Client, value: Buffer | undefined): void {
  if (value === undefined) reply.nil();
  else reply.bulk(value);
}

export const stringCommands: readonly Command[] = [
  { name: 'get', arity: 2, run: get },
  { name: 'set', arity: -3, run: set },
  { name: 'getset', arity: 3, run: getset },
  { name: 'mget', arity: -2, run: mget },
  { name: 'mset', arity: -3, run: mset },
  { name: 'append', arity: 3, run: append },
  { name: 'strlen', arity: 2, run: strlen },
];
