import { optionAt, shownAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import type { Command } from '../command-table.js';
import { parseInteger } from '../integers.js';
import { REDIS_VERSION } from '../versions.js';
import { setName } from './client-name.js';

const PONG = Buffer.from('+PONG\r\n');
const MIN_INT32 = -(2 ** 31);
const MAX_INT32 = 2 ** 31 - 1;
const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.';

function ping({ reply, protocol, subscribed }: Client, args: Arguments): void {
  if (args.partCount > 2) {
    reply.error("ERR wrong number of arguments for 'ping' command");
  } else if (protocol === 2 && subscribed > 0) {
    reply.array(2);
    reply.bulkText('pong');
    if (args.partCount === 2) reply.bulk(args.part(1));
    else reply.bulkText('');
  } else if (args.partCount === 2) {
    reply.bulk(args.part(1));
  } else {
    reply.raw(PONG);
  }
}

function echo({ reply }: Client, args: Arguments): void {
  reply.bulk(args.part(1));
}

function select({ reply }: Client, args: Arguments): void {
  const index = parseInteger(args.part(1));
  if (index === 0) {
    reply.ok();
  } else if (index === undefined) {
    reply.error('ERR value is not an integer or out of range');
  } else if (index > MAX_INT32 || index < MIN_INT32) {
    reply.error(`ERR value is out of range, value must between ${MIN_INT32} and ${MAX_INT32}`);
  } else {
    reply.error('ERR DB index is out of range');
  }
}

/** There is one user, `default`, without a password: any password of his is right. */
function auth({ reply }: Client, args: Arguments): void {
  if (args.partCount > 3) {
    reply.error('ERR syntax error');
  } else if (args.partCount === 2) {
    reply.error(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    );
  } else if (args.partLatin1(1) === 'default') {
    reply.ok();
  } else {
    reply.error(WRONG_PASSWORD);
  }
}

function hello(client: Client, args: Arguments): void {
  const { reply } = client;
  const version = args.partCount > 1 ? parseInteger(args.part(1)) : client.protocol;
  if (version === undefined) {
    reply.error('ERR Protocol version is not an integer or out of range');
    return;
  }
  if (version !== 2 && version !== 3) {
    reply.error('NOPROTO unsupported protocol version');
    return;
  }
  const refused = applyHelloOptions(client, args);
  if (refused !== undefined) {
    reply.error(refused);
    return;
  }
  client.speak(version);
  client.save();
  reply.map(7);
  reply.bulkText('server');
  reply.bulkText('redis');
  reply.bulkText('version');
  reply.bulkText(REDIS_VERSION);
  reply.bulkText('proto');
  reply.integer(version);
  reply.bulkText('id');
  reply.integer(client.id);
  reply.bulkText('mode');
  reply.bulkText('standalone');
  reply.bulkText('role');
  reply.bulkText('master');
  reply.bulkText('modules');
  reply.array(0);
}

/** Answers undefined, or why not. */
function applyHelloOptions(client: Client, args: Arguments): string | undefined {
  for (let i = 2; i < args.partCount; i++) {
    const option = optionAt(args, i);
    if (option === 'AUTH' && i + 2 < args.partCount) {
      if (args.partLatin1(i + 1) !== 'default') return WRONG_PASSWORD;
      i += 2;
    } else if (option === 'SETNAME' && i + 1 < args.partCount) {
      const refused = setName(client, args.partLatin1(++i));
      if (refused !== undefined) return refused;
    } else {
      return `ERR Syntax error in HELLO option '${shownAt(args, i)}'`;
    }
  }
  return undefined;
}

function reset(client: Client): void {
  client.reset();
  client.reply.simple('RESET');
}

function quit(client: Client): void {
  client.closing = true;
  client.reply.ok();
}

export const connectionCommands: readonly Command[] = [
  { name: 'ping', arity: -1, run: ping, whileSubscribed: true },
  { name: 'echo', arity: 2, run: echo },
  { name: 'select', arity: 2, run: select },
  { name: 'auth', arity: -2, run: auth },
  { name: 'hello', arity: -1, run: hello },
  { name: 'reset', arity: 1, run: reset, whileSubscribed: true },
  { name: 'quit', arity: -1, run: quit, whileSubscribed: true },
];
