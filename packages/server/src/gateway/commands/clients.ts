import { optionAt, shownAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import { container, type Command } from '../command-table.js';
import { parseInteger } from '../integers.js';
import type { SessionRecord } from '../sessions.js';
import { setName } from './client-name.js';

const SYNTAX_ERROR = 'ERR syntax error';

function setname(client: Client, args: Arguments): void {
  const refused = setName(client, args.partLatin1(2));
  if (refused !== undefined) {
    client.reply.error(refused);
    return;
  }
  client.save();
  client.reply.ok();
}

function getname({ reply, name }: Client): void {
  if (name === '') reply.nil();
  else reply.bulkText(name);
}

function id(client: Client): void {
  client.reply.integer(client.id);
}

function info(client: Client): void {
  client.reply.verbatim(describe(client.connection, client.record(), 'client|info'));
}

function list(client: Client, args: Arguments): void {
  const filter = parseFilter(args);
  if (typeof filter === 'string') {
    client.reply.error(filter);
    return;
  }
  let text = '';
  for (const [key, record] of client.services.sessions.entries()) {
    const command = key.sequence === client.id ? 'client|list' : 'NULL';
    if (filter(key.sequence, record)) text += describe(key, record, command);
  }
  client.reply.verbatim(text);
}

type Filter = (id: number, record: SessionRecord) => boolean;

function parseFilter(args: Arguments): Filter | string {
  if (args.partCount === 2) return () => true;
  const option = optionAt(args, 2);
  if (option === 'TYPE' && args.partCount === 4) return filterByType(shownAt(args, 3));
  if (option === 'ID' && args.partCount > 3) return filterById(args);
  return SYNTAX_ERROR;
}

function filterByType(type: string): Filter | string {
  switch (type.toLowerCase()) {
    case 'normal':
      return (_, record) => subscriptions(record) === 0;
    case 'pubsub':
      return (_, record) => subscriptions(record) > 0;
    case 'master':
    case 'replica':
    case 'slave':
      return () => false;
    default:
      return `ERR Unknown client type '${type}'`;
  }
}

function filterById(args: Arguments): Filter | string {
  const ids = new Set<number>();
  for (let i = 3; i < args.partCount; i++) {
    const value = parseInteger(args.part(i));
    if (value === undefined || value < 1) return 'ERR Invalid client ID';
    ids.add(Number(value));
  }
  return (id) => ids.has(id);
}

function subscriptions(record: SessionRecord): number {
  return record.channels + record.patterns;
}

/** A line as Redis has it, without the fields that tell of its own buffers. */
function describe({ fd, sequence }: { fd: number; sequence: number }, record: SessionRecord, command: string): string {
  const age = Math.floor((Date.now() - record.openedAtMs) / 1000);
  return (
    `id=${sequence} addr=${record.address} laddr=${record.localAddress} fd=${fd} name=${record.name} age=${age} ` +
    `flags=${subscriptions(record) > 0 ? 'P' : 'N'} db=0 sub=${record.channels} psub=${record.patterns} ` +
    `ssub=0 multi=-1 cmd=${command} user=default redir=-1 resp=${record.protocol}\n`
  );
}

function ok({ reply }: Client): void {
  reply.ok();
}

function noEvict({ reply }: Client, args: Arguments): void {
  const option = optionAt(args, 2);
  if (option === 'ON' || option === 'OFF') reply.ok();
  else reply.error(SYNTAX_ERROR);
}

export const clientCommands: readonly Command[] = [
  container('client', [
    { name: 'client|setname', arity: 3, run: setname },
    { name: 'client|getname', arity: 2, run: getname },
    { name: 'client|id', arity: 2, run: id },
    { name: 'client|info', arity: 2, run: info },
    { name: 'client|list', arity: -2, run: list },
    // Libraries announce themselves and ask for this unprompted: nothing here depends on it.
    { name: 'client|setinfo', arity: 4, run: ok },
    { name: 'client|no-evict', arity: 3, run: noEvict },
  ]),
];
