import type { Message } from '../index.js';

/** What the command layer reads of a message: the parts that the framing found, so that nothing is parsed again. */
export type Arguments = Pick<Message, 'u8' | 'partCount' | 'part' | 'partLatin1' | 'partOffset' | 'partLength'>;

/** So much of a client's words stands in an error. */
export const MAX_SHOWN_BYTES = 128;

/** The words of `args` from `from` on, as strings of bytes in upper case: options are not case-sensitive. */
export function optionAt(args: Arguments, index: number): string {
  return args.partLatin1(index).toUpperCase();
}

/** How an error shows a word that was sent: a bounded part of it, up to the first zero byte, as Redis does. */
export function shownAt(args: Arguments, index: number, limit: number = MAX_SHOWN_BYTES): string {
  const text = args.partLatin1(index).slice(0, limit);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
