import { native } from './native.js';

/**
 * Where native code puts the messages that this thread pops one by one: each becomes a Buffer over its part, as
 * `Buffer.allocUnsafe` does it. A part is never used again; the pool goes when none of its Buffers is left.
 */
class MessagePool {
  #memory = native.pool();
  /** Where the next message goes. */
  offset = 0;

  take(length: number): Buffer {
    const message = Buffer.from(this.#memory, this.offset, length);
    this.offset += (length + 7) & ~7;
    return message;
  }

  renew(): void {
    this.#memory = native.pool();
    this.offset = 0;
  }
}

export const pool = new MessagePool();
