import type { Message } from '../index.js';

/** What the command layer reads of a message: the parts that the framing found, so that nothing is parsed again. */
export type Arguments = Pick<Message, 'u8' | 'partCount' | 'part' | 'partLatin1' | 'partOffset' | 'partLength'>;

/** The words of `args` from `from` on, as strings of bytes in upper case: options are not case-sensitive. */
export function optionAt(args: Arguments, index: number): string {
  return args.partLatin1(index).toUpperCase();
}
