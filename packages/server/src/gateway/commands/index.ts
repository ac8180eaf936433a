import { CommandTable } from '../command-table.js';
import { clientCommands } from './clients.js';
import { connectionCommands } from './connection.js';
import { counterCommands } from './counters.js';
import { expirationCommands } from './expiration.js';
import { introspectionCommands } from './introspection.js';
import { keyCommands } from './keys.js';
import { pubsubCommands } from './pubsub.js';
import { serverCommands } from './server.js';
import { stringCommands } from './strings.js';

/** Every command the gateway knows. */
export const commandTable: CommandTable = new CommandTable([
  ...stringCommands,
  ...counterCommands,
  ...keyCommands,
  ...expirationCommands,
  ...pubsubCommands,
  ...connectionCommands,
  ...clientCommands,
  ...serverCommands,
  ...introspectionCommands(() => commandTable),
]);
