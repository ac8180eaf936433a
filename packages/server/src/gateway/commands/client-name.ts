import type { Client } from '../client.js';
import { MAX_NAME_BYTES } from '../subscriptions.js';

/** Printable, no blanks; empty takes the name away. */
const NAME = /^[!-~]*$/;

/** Answers undefined, or why the name was refused. */
export function setName(client: Client, name: string): string | undefined {
  if (name.length > MAX_NAME_BYTES) return `ERR Client names cannot be longer than ${MAX_NAME_BYTES} bytes.`;
  if (!NAME.test(name)) return 'ERR Client names cannot contain spaces, newlines or special characters.';
  client.name = name;
  return undefined;
}
