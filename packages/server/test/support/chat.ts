import type { Connection, Message } from '@millrace/server';
import type { Client } from './client';
import type { Running } from './serve';

/** "subscribe T", "unsubscribe T", "publish T payload", "publish-self T payload": each is answered. */
export const chat = {
  message(connection: Connection, message: Message): void {
    const [word, topic, ...rest] = message.utf8().split(' ') as [string, string, ...string[]];
    if (word === 'subscribe') connection.subscribe(topic);
    else if (word === 'unsubscribe') connection.unsubscribe(topic);
    else {
      const reached = connection.publish(topic, rest.join(' '), { includeSelf: word === 'publish-self' });
      connection.send(`reached ${reached}`);
      return;
    }
    connection.send(`${word}d`);
  },
};

/** A client that has subscribed. */
export async function subscribed(running: Running, ...topics: string[]): Promise<Client> {
  const client = await running.connect();
  for (const topic of topics) {
    client.write(`subscribe ${topic}\n`);
    expect(await client.readLine()).toBe('subscribed');
  }
  return client;
}

/** What a client gets up to a mark that is published last. */
export async function upTo(mark: string, client: Client): Promise<string[]> {
  const got: string[] = [];
  for (let line = await client.readLine(); line !== mark; line = await client.readLine()) got.push(line);
  return got;
}
