import { parseArgs } from 'node:util';

/** A mistake of the caller's: one line, exit code 2. */
export class UsageError extends Error {}

/**
 * The flags of a command line. An unknown one is a UsageError.
 *
 * @param {string[]} argv
 * @param {import('node:util').ParseArgsConfig['options']} options
 */
export function parseFlags(argv, options) {
  try {
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    throw new UsageError(`${error.message.split('\n')[0]} (--help lists the flags)`);
  }
}

/** @param {string} text – names with commas between; each once in the answer */
export function listOf(text) {
  return [...new Set(text.split(',').map((item) => item.trim()))];
}

/** @param {string} name – of the flag, for the error @param {string | undefined} text */
export function numberOf(name, text, { min, max, fallback, integer = false }) {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max) || (integer && !Number.isInteger(value))) {
    throw new UsageError(`${name} must be ${integer ? 'an integer' : 'a number'} from ${min} to ${max}, got ${text}`);
  }
  return value;
}
