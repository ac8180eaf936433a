import type { Client } from '../client.js';

/** Printable, no blanks; empty takes the name away. */
const NAME = /^[!-~]*$/;

/** Answers undefined, or why the name was refused. */
export function setName(client: Client, name: string): string | undefined {
  if (!NAME.test(name)) return 'ERR Client names cannot contain spaces, newlines or special characters.';
  client.name = name;
  return undefined;
}
