import { createServer, type ListenOptions, type Server, type ServerOptions } from '@millrace/server';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from './client';

const servers: Server[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close({ drainMs: 0 })));
});

export interface Running {
  readonly server: Server;
  readonly port: number;
  connect(): Promise<Client>;
  connectMany(count: number): Promise<Client[]>;
}

/** A server that the test's end closes. */
export function make(options: ServerOptions): Server {
  const server = createServer(options);
  servers.push(server);
  return server;
}

/** A listening server that the test's end closes, and its clients with it. */
export async function serve(
  options: ServerOptions,
  at: ListenOptions = { port: 0, host: '127.0.0.1' },
): Promise<Running> {
  const server = make(options);
  const address = await server.listen(at);
  const connect = (): Promise<Client> => connectTo(typeof address === 'string' ? address : address.port);
  return {
    server,
    port: typeof address === 'string' ? 0 : address.port,
    connect,
    connectMany: (count) => Promise.all(Array.from({ length: count }, connect)),
  };
}

/** A client that the test's end destroys. */
export async function connectTo(to: Parameters<typeof Client.connect>[0]): Promise<Client> {
  const client = await Client.connect(to);
  clients.push(client);
  return client;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** The module of test/handlers with this name. */
export function handlerModule(name: string): URL {
  return pathToFileURL(join(__dirname, '../handlers', name));
}
