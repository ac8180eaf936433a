import { shownAt, type Arguments } from '../arguments.js';
import type { Client } from '../client.js';
import { container, type Command } from '../command-table.js';
import type { SubscriptionKind } from '../topics.js';

function publish({ reply, services }: Client, args: Arguments): void {
  try {
    reply.integer(services.broadcast.publish(args.partLatin1(1), args.part(2)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MESSAGE_TOO_LARGE') throw error;
    reply.error(`ERR ${message}`);
  }
}

function subscribe(kind: SubscriptionKind, word: string): Command['run'] {
  return (client, args) => {
    const names = namesIn(args);
    const { counts, refused } = client.subscriptions.add(kind, names);
    for (const [i, count] of counts.entries()) confirm(client, word, names[i], count);
    if (refused !== undefined) client.reply.error(refused);
  };
}

function unsubscribe(kind: SubscriptionKind, word: string): Command['run'] {
  return (client, args) => {
    const { subscriptions } = client;
    const names = args.partCount === 1 ? [...subscriptions.names(kind)] : namesIn(args);
    const counts = subscriptions.delete(kind, names);
    for (const [i, count] of counts.entries()) confirm(client, word, names[i], count);
    if (names.length === 0) confirm(client, word, undefined, client.subscribed);
  };
}

function namesIn(args: Arguments): string[] {
  return Array.from({ length: args.partCount - 1 }, (_, i) => args.partLatin1(i + 1));
}

function confirm({ reply }: Client, word: string, name: string | undefined, count: number): void {
  reply.push(3);
  reply.bulkText(word);
  if (name === undefined) reply.nil();
  else reply.bulkText(name);
  reply.integer(count);
}

function channels({ reply, services }: Client, args: Arguments): void {
  if (args.partCount > 3) {
    // Redis checks this late, and words it unlike its other errors.
    reply.error(`ERR unknown subcommand or wrong number of arguments for '${shownAt(args, 1)}'. Try PUBSUB HELP.`);
    return;
  }
  const names = services.channels.names(args.partCount === 3 ? args.partLatin1(2) : undefined);
  reply.array(names.length);
  for (const name of names) reply.bulkText(name);
}

function numsub({ reply, services }: Client, args: Arguments): void {
  reply.array(2 * (args.partCount - 2));
  for (let i = 2; i < args.partCount; i++) {
    const name = args.partLatin1(i);
    reply.bulkText(name);
    reply.integer(services.channels.subscribers(name));
  }
}

function numpat({ reply, services }: Client): void {
  reply.integer(services.channels.patterns().length);
}

export const pubsubCommands: readonly Command[] = [
  { name: 'publish', arity: 3, run: publish },
  { name: 'subscribe', arity: -2, run: subscribe('channel', 'subscribe'), whileSubscribed: true },
  { name: 'unsubscribe', arity: -1, run: unsubscribe('channel', 'unsubscribe'), whileSubscribed: true },
  { name: 'psubscribe', arity: -2, run: subscribe('pattern', 'psubscribe'), whileSubscribed: true },
  { name: 'punsubscribe', arity: -1, run: unsubscribe('pattern', 'punsubscribe'), whileSubscribed: true },
  container('pubsub', [
    { name: 'pubsub|channels', arity: -2, run: channels },
    { name: 'pubsub|numsub', arity: -2, run: numsub },
    { name: 'pubsub|numpat', arity: 2, run: numpat },
  ]),
];
