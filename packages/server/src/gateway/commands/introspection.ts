import type { Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import { container, type Command, type CommandTable } from '../command-table.js';
import type { Reply } from '../reply.js';
import { descriptions } from './descriptions.js';

/** COMMAND, COMMAND COUNT, COMMAND INFO, COMMAND DOCS. They answer about the table that they are a part of. */
export function introspectionCommands(table: () => CommandTable): readonly Command[] {
  const count = ({ reply }: Client): void => reply.integer(table().commands.length);

  const info = ({ reply }: Client, args: Arguments): void => {
    const commands = args.partCount <= 2 ? table().commands : named(args, 2, table());
    reply.array(commands.length);
    for (const command of commands) {
      if (command === undefined) reply.nil();
      else writeInfo(reply, command);
    }
  };

  const docs = ({ reply }: Client, args: Arguments): void => {
    const commands = args.partCount <= 2 ? table().commands : named(args, 2, table());
    const known = commands.filter((command) => command !== undefined);
    reply.map(known.length);
    for (const command of known) writeDocs(reply, command);
  };

  return [
    {
      ...container('command', [
        { name: 'command|count', arity: 2, run: count },
        { name: 'command|info', arity: -2, run: info },
        { name: 'command|docs', arity: -2, run: docs },
      ]),
      // Alone it lists all commands.
      arity: -1,
      run: info,
    },
  ];
}

function named(args: Arguments, from: number, table: CommandTable): (Command | undefined)[] {
  return Array.from({ length: args.partCount - from }, (_, i) => {
    const [name = '', subname] = args.partLatin1(from + i).split('|');
    const command = table.find(name);
    return subname === undefined ? command : command?.subcommands?.get(subname.toUpperCase());
  });
}

function writeInfo(reply: Reply, command: Command): void {
  const { flags, keys, categories } = descriptions.get(command.name)!;
  reply.array(10);
  reply.bulkText(command.name);
  reply.integer(command.arity);
  writeStatuses(reply, flags);
  for (const place of keys) reply.integer(place);
  writeStatuses(reply, categories);
  // Hints to proxies and the places of keys once more, both optional.
  reply.set(0);
  reply.set(0);
  const subcommands = command.subcommands === undefined ? [] : [...command.subcommands.values()];
  if (subcommands.length === 0) reply.set(0);
  else reply.array(subcommands.length);
  for (const subcommand of subcommands) writeInfo(reply, subcommand);
}

function writeStatuses(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

function writeDocs(reply: Reply, command: Command): void {
  const { summary, since, group } = descriptions.get(command.name)!;
  const { subcommands } = command;
  reply.bulkText(command.name);
  reply.map(subcommands === undefined ? 3 : 4);
  for (const text of ['summary', summary, 'since', since, 'group', group]) reply.bulkText(text);
  if (subcommands === undefined) return;
  reply.bulkText('subcommands');
  reply.map(subcommands.size);
  for (const subcommand of subcommands.values()) writeDocs(reply, subcommand);
}
