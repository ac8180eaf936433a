import { Server } from './server.js';
import type { ServerOptions } from './types.js';

/**
 * A server that does not listen yet.
 *
 * @throws TypeError, RangeError for bad options; `ERR_SERVER_TOPOLOGY` for one that is not there yet
 * @example
 * const server = createServer({
 *   framing: lines(),
 *   handler: { message: (connection, message) => void connection.send(message) },
 * });
 * console.log(await server.listen({ port: 0, host: '127.0.0.1' })); // { address: '127.0.0.1', port: …, family: 'IPv4' }
 */
export function createServer(options: ServerOptions): Server {
  return Server.make(options);
}
