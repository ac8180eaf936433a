import { optionAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import { container, type Command } from '../command-table.js';
import { globMatches } from '../glob.js';
import { describeServer } from '../info.js';
import type { Services } from '../services.js';

function info({ reply, services }: Client, args: Arguments): void {
  const sections = new Set<string>();
  for (let i = 1; i < args.partCount; i++) sections.add(optionAt(args, i).toLowerCase());
  reply.verbatim(describeServer(services, sections));
}

/** The parameters that Redis's own tools and client libraries ask for, under Redis's names. */
function parameters({ settings, board }: Services): ReadonlyMap<string, string> {
  return new Map([
    ['appendonly', 'no'],
    ['bind', settings.host],
    ['databases', '1'],
    ['maxclients', String(settings.maxClients)],
    ['maxmemory', String(settings.maxMemoryBytes)],
    ['maxmemory-policy', 'noeviction'],
    ['port', String(board.get('port'))],
    ['proto-max-bulk-len', String(settings.maxCommandBytes)],
    ['save', ''],
    ['timeout', String(Math.ceil(settings.idleTimeoutMs / 1000))],
  ]);
}

function configGet({ reply, services }: Client, args: Arguments): void {
  const known = parameters(services);
  const found = new Map<string, string>();
  for (let i = 2; i < args.partCount; i++) {
    const asked = args.partLatin1(i);
    const exact = known.get(asked.toLowerCase());
    // A name is answered as it was spelled, a pattern with the names that it matches.
    if (exact !== undefined) found.set(asked, exact);
    for (const [name, value] of known) {
      if (exact === undefined && globMatches(asked.toLowerCase(), name)) found.set(name, value);
    }
  }
  reply.map(found.size);
  for (const [name, value] of found) {
    reply.bulkText(name);
    reply.bulkText(value);
  }
}

export const serverCommands: readonly Command[] = [
  { name: 'info', arity: -1, run: info },
  container('config', [{ name: 'config|get', arity: -3, run: configGet }]),
];
