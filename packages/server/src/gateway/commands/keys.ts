import { optionAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import type { Command } from '../command-table.js';
import { globMatches } from '../glob.js';
import { parseInteger } from '../integers.js';

const DEFAULT_COUNT = 10;
/** More a call would keep this worker's other connections waiting. */
const MAX_COUNT = 10_000;
/** What C's strtoul takes, and nothing behind it: an empty cursor is 0. */
const CURSOR = /^(?:[+-]?[0-9]{1,20})?$/;
/** The largest that a scan of ours answers. */
const LAST_CURSOR = 2 ** 52 - 1;
const SYNTAX_ERROR = 'ERR syntax error';

function del({ reply, services }: Client, args: Arguments): void {
  let deleted = 0;
  for (let i = 1; i < args.partCount; i++) if (services.keyspace.delete(args.partLatin1(i))) deleted++;
  reply.integer(deleted);
}

function exists({ reply, services }: Client, args: Arguments): void {
  let found = 0;
  for (let i = 1; i < args.partCount; i++) if (services.keyspace.has(args.partLatin1(i))) found++;
  reply.integer(found);
}

function type({ reply, services }: Client, args: Arguments): void {
  reply.simple(services.keyspace.has(args.partLatin1(1)) ? 'string' : 'none');
}

function dbsize({ reply, services }: Client): void {
  reply.integer(services.keyspace.size);
}

function flush({ reply, services }: Client, args: Arguments): void {
  const option = args.partCount === 2 ? optionAt(args, 1) : 'SYNC';
  if (args.partCount > 2 || (option !== 'SYNC' && option !== 'ASYNC')) {
    reply.error(SYNTAX_ERROR);
    return;
  }
  services.keyspace.clear();
  reply.ok();
}

function keys({ reply, services }: Client, args: Arguments): void {
  const pattern = args.partLatin1(1);
  const found = [...services.keyspace.keys()];
  const matching = pattern === '*' ? found : found.filter((key) => globMatches(pattern, key));
  reply.array(matching.length);
  for (const key of matching) reply.bulkText(key);
}

function scan({ reply, services }: Client, args: Arguments): void {
  const cursorText = args.partLatin1(1);
  const cursor = Number(cursorText);
  if (!CURSOR.test(cursorText) || cursor > Number(2n ** 64n - 1n)) {
    reply.error('ERR invalid cursor');
    return;
  }
  const options = parseScanOptions(args);
  if (typeof options === 'string') {
    reply.error(options);
    return;
  }
  // A cursor that no scan of ours answered names a place beyond the end.
  const page = cursor >= 0 && cursor <= LAST_CURSOR ? services.keyspace.scan(cursor, options.count) : undefined;
  const matching = page === undefined ? [] : page.keys.filter(options.matches);
  reply.array(2);
  reply.bulkText(String(page?.cursor ?? 0));
  reply.array(matching.length);
  for (const key of matching) reply.bulkText(key);
}

interface ScanOptions {
  count: number;
  matches: (key: string) => boolean;
}

function parseScanOptions(args: Arguments): ScanOptions | string {
  let count = DEFAULT_COUNT;
  let pattern = '*';
  let type = 'string';
  for (let i = 2; i < args.partCount; i += 2) {
    if (i + 1 >= args.partCount) return SYNTAX_ERROR;
    switch (optionAt(args, i)) {
      case 'COUNT': {
        const value = parseInteger(args.part(i + 1));
        if (value === undefined) return 'ERR value is not an integer or out of range';
        if (value < 1) return SYNTAX_ERROR;
        count = Math.min(Number(value), MAX_COUNT);
        break;
      }
      case 'MATCH':
        pattern = args.partLatin1(i + 1);
        break;
      case 'TYPE':
        type = args.partLatin1(i + 1).toLowerCase();
        break;
      default:
        return SYNTAX_ERROR;
    }
  }
  // Every value is a string.
  return { count, matches: (key) => type === 'string' && (pattern === '*' || globMatches(pattern, key)) };
}

export const keyCommands: readonly Command[] = [
  { name: 'del', arity: -2, run: del },
  { name: 'exists', arity: -2, run: exists },
  { name: 'type', arity: 2, run: type },
  { name: 'dbsize', arity: 1, run: dbsize },
  { name: 'flushall', arity: -1, run: flush },
  { name: 'flushdb', arity: -1, run: flush },
  { name: 'keys', arity: 2, run: keys },
  { name: 'scan', arity: -2, run: scan },
];
