import type { Handler } from './types.js';

/**
 * The handler as it is; for its types: `data` gives `connection.data` its type in the other members.
 *
 * @example
 * export default defineHandler({
 *   message(connection, message) {
 *     connection.send(message);
 *   },
 * });
 */
export function defineHandler<Data = undefined, WorkerData = unknown>(
  handler: Handler<Data, WorkerData>,
): Handler<Data, WorkerData> {
  return handler;
}
