import type { Frame } from '@millrace/framing';
import { FrameView } from '@millrace/framing/internal';

/**
 * One message in the memory that it was received into. Valid until the handler returns or, where that
 * returns a promise, until the promise settles; then access throws `ERR_MESSAGE_EXPIRED`.
 */
// A name of its own, to which a server's messages may add.
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Message extends Frame {}

/**
 * @internal A Message over the server's arena. It knows the block that its bytes lie in, so that sending
 * it passes on a descriptor and copies nothing.
 */
export class ArenaMessage extends FrameView implements Message {
  block = 0;
  /** The framed bytes around the payload are what send() would write. */
  exact = false;

  constructor(
    readonly arena: Buffer,
    parts: Uint32Array,
  ) {
    super(arena, parts);
  }

  show(words: Uint32Array, at: number, exactBit: number): void {
    this.reset(words[at + 2]!, words[at + 3]!, words[at + 5]! >>> 2, words[at + 6]!);
    this.exact = (words[at + 4]! & exactBit) !== 0;
    this.block = words[at + 7]!;
  }
}
