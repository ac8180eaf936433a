import type { CloseReason, Connection, Server } from '@millrace/server';
import type { Client } from './client';
import { serve } from './serve';
import { until } from './wait';

/** A server that does nothing but hand over its side of each client, and tell how that closed. */
export async function withConnections(options: object = {}): Promise<{
  take(): Promise<{ connection: Connection; client: Client }>;
  server: Server;
  closes: [CloseReason, Error | undefined][];
}> {
  const opened: Connection[] = [];
  const closes: [CloseReason, Error | undefined][] = [];
  const { server, connect } = await serve({
    ...options,
    handler: {
      open: (connection) => void opened.push(connection),
      close: (_connection, reason, error) => void closes.push([reason, error]),
    },
  });
  const take = async (): Promise<{ connection: Connection; client: Client }> => {
    const client = await connect();
    await until(() => opened.length > 0);
    return { connection: opened.shift()!, client };
  };
  return { take, server, closes };
}
