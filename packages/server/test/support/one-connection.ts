import type { Connection, Server } from '@millrace/server';
import type { Client } from './client';
import { serve } from './serve';
import { until } from './wait';

/** A server with one client, and the server's side of that. */
export async function oneConnection(
  options: object = {},
  handler: object = {},
): Promise<{ connection: Connection; client: Client; server: Server }> {
  const opened: Connection[] = [];
  const { server, connect } = await serve({
    ...options,
    handler: { open: (connection: Connection) => void opened.push(connection), ...handler },
  });
  const client = await connect();
  await until(() => opened.length > 0);
  return { connection: opened[0]!, client, server };
}
