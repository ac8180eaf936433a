/**
 * A thread's output: bytes go into a block of the arena, operations into a list, and one native call a
 * batch hands the list to the sender. Nothing here allocates for a message.
 */
import type { Framing } from '@millrace/framing';
import { createFrameEncoder, framingSpec, type FrameEncoder } from '@millrace/framing/internal';
import {
  FIRST_OPERATION,
  KIND_MASK,
  NO_BLOCK,
  OPERATION_LIST,
  OPERATION_WORDS,
  OUT,
  OUT_BLOCK_BYTES,
  OUT_WANTS_DRAIN,
  PUBLISH_HEADER_BYTES,
  WORD,
} from './layout.js';
import { makeError } from './errors.js';
import { ArenaMessage } from './message.js';
import { native, type Views } from './native.js';
import type { Payload } from './types.js';

/** Copying this many bytes one by one is quicker than a call. */
const SHORT_BYTES = 24;

interface WritableBuffer extends Buffer {
  utf8Write(text: string, offset: number, length: number): number;
}

// As constants of this module: an import is looked up at every use.
const { opCount: OP_COUNT, outUsed: OUT_USED, outBlock: OUT_BLOCK, outBlockBytes: OUT_BYTES } = WORD;
const WRITE = OUT.write;
const KIND = KIND_MASK;
const FIRST = FIRST_OPERATION;
const OPERATION = OPERATION_WORDS;
const LIST = OPERATION_LIST;

/** Whose bytes an operation carries. `submitted` counts them, modulo 2^32, in the
 * signed half-range that V8 keeps without an allocation. */
export interface Destination {
  readonly fd: number;
  readonly sequence: number;
  submitted: number;
}

export class Outbound {
  readonly attachment: number;
  readonly arena: WritableBuffer;
  readonly words: Uint32Array;
  /** Bytes that have left each descriptor, modulo 2^32: the sender's count. */
  readonly sent: Int32Array;
  readonly #encoder: FrameEncoder;
  /** What stands behind the payload of a received frame that can be sent back as it is. */
  readonly #exactTrailerBytes: number;
  /** In front of it; undefined where that depends on the length. */
  readonly #exactHeaderBytes: number | undefined;
  readonly #flushLater = () => this.flushNow();
  /** Set while a batch runs: its end hands everything over. */
  inBatch = false;
  #scheduled = false;

  constructor(views: Views, framing: Framing) {
    this.attachment = views.id;
    this.arena = Buffer.from(views.arena) as Buffer as WritableBuffer;
    this.words = new Uint32Array(views.bridge);
    this.sent = new Int32Array(views.sent);
    this.#encoder = createFrameEncoder(framing);
    const spec = framingSpec(framing);
    this.#exactHeaderBytes = spec.name === 'varint' ? undefined : this.#encoder.maxHeaderBytes;
    this.#exactTrailerBytes =
      spec.name === 'lines' ? 1 : spec.name === 'delimiter' && spec.strip ? spec.delimiter.length : 0;
  }

  /** Bytes written to a destination that have not left. */
  buffered(to: Destination): number {
    const bytes = (to.submitted - this.sent[to.fd]!) | 0;
    // More has left than was written: the thread before this one had written it.
    return bytes < 0 ? 0 : bytes;
  }

  /** Bytes as they are. */
  write(to: Destination, payload: Payload): void {
    if (typeof payload === 'string') this.#text(to, payload);
    else if (payload instanceof ArenaMessage && payload.arena === this.arena)
      this.#reference(to, payload.start, payload.byteLength, payload.block);
    else this.#bytes(to, asBytes(payload));
  }

  /** Bytes with what the framing adds. */
  send(to: Destination, payload: Payload): void {
    const encoder = this.#encoder;
    if (payload instanceof ArenaMessage && payload.exact && payload.arena === this.arena) {
      const length = payload.byteLength;
      const before = this.#exactHeaderBytes ?? encoder.headerBytes(length);
      const framed = before + length + this.#exactTrailerBytes;
      this.#reference(to, payload.start - before, framed, payload.block);
      return;
    }
    const bytes = toBytes(payload);
    const most = encoder.headerBytes(bytes.length) + bytes.length + encoder.maxTrailerBytes;
    if (most <= OUT_BLOCK_BYTES) {
      const at = this.#reserve(most);
      this.#wrote(to, at, encode(encoder, this.arena, at, bytes));
    } else {
      const frame = Buffer.allocUnsafe(most);
      this.#bytes(to, frame.subarray(0, encode(encoder, frame, 0, bytes)));
    }
  }

  /** The last write of a destination shall be followed by a drain event. */
  wantDrain(to: Destination): void {
    const { words } = this;
    const at = FIRST + (words[OP_COUNT]! - 1) * OPERATION;
    if (words[OP_COUNT]! > 0 && words[at] === to.fd && words[at + 1] === to.sequence) {
      if ((words[at + 4]! & KIND) === WRITE) {
        words[at + 4]! |= OUT_WANTS_DRAIN;
        return;
      }
    }
    this.#operation(to.fd, to.sequence, 0, 0, WRITE | OUT_WANTS_DRAIN, 0, 0, NO_BLOCK);
  }

  end(to: Destination, reason: number, atOnce: boolean): void {
    this.#operation(to.fd, to.sequence, 0, 0, OUT.end, reason, atOnce ? 1 : 0, NO_BLOCK);
  }

  activate(to: Destination): void {
    const { words } = this;
    const index = words[WORD.resultA]!;
    const generation = words[WORD.resultB]!;
    // What follows in this turn (a confirmation, say) shall be handed over together with it.
    if (words[OP_COUNT]! > LIST - 8 || this.#room() < OUT_BLOCK_BYTES / 8) this.#nextBlock();
    this.#operation(to.fd, to.sequence, 0, 0, OUT.activate, index, generation, NO_BLOCK);
  }

  /** How many subscribers a message on the topic reaches; it is sent when there are any. */
  publish(topic: string, payload: Payload, key: bigint, framed: boolean, except: Destination | undefined): number {
    const name = Buffer.from(topic);
    const fd = except?.fd ?? 0;
    const sequence = except?.sequence ?? 0;
    const reached = native.subscribers(this.attachment, fd, sequence, name);
    if (reached === 0) return 0;
    const bytes = toBytes(payload);
    const encoder = framed ? this.#encoder : undefined;
    const most =
      bytes.length + (encoder === undefined ? 0 : encoder.headerBytes(bytes.length) + encoder.maxTrailerBytes);
    const total = PUBLISH_HEADER_BYTES + name.length + most;
    if (total > OUT_BLOCK_BYTES) {
      throw makeError(
        'ERR_MESSAGE_TOO_LARGE',
        `A published message takes at most ${OUT_BLOCK_BYTES - PUBLISH_HEADER_BYTES} bytes with its topic and ` +
          `framing, received ${total - PUBLISH_HEADER_BYTES}. Publish a reference to it, or send it in pieces`,
        { ErrorType: RangeError },
      );
    }
    const at = this.#reserve(total);
    const { arena } = this;
    const start = at + PUBLISH_HEADER_BYTES + name.length;
    let length = bytes.length;
    if (encoder === undefined) arena.set(bytes, start);
    else length = encode(encoder, arena, start, bytes);
    arena.writeUInt32LE(name.length, at);
    arena.writeUInt32LE(length, at + 4);
    arena.writeBigUInt64LE(key, at + 8);
    arena.writeUInt32LE(0, at + 16);
    arena.set(name, at + PUBLISH_HEADER_BYTES);
    this.words[OUT_USED]! += total;
    this.#operation(fd, sequence, at, total, OUT.publish, 0, 0, this.words[OUT_BLOCK]!);
    return reached;
  }

  /** Hands over what there is. Called by the end of a batch, and after one by a microtask. */
  flushNow(): void {
    this.#scheduled = false;
    native.flush(this.attachment);
  }

  /** Hands over what there is, now: something that it refers to is about to go. */
  handOver(): void {
    if (this.words[OP_COUNT] !== 0) native.flush(this.attachment);
  }

  /** Something has to be handed over; outside of a batch nobody else will. */
  schedule(): void {
    if (this.inBatch || this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#flushLater);
  }

  // --- Bytes ---

  #text(to: Destination, text: string): void {
    // A character takes at most three bytes.
    if (text.length * 3 > OUT_BLOCK_BYTES / 4) {
      this.#bytes(to, Buffer.from(text));
      return;
    }
    const at = this.#reserve(text.length * 3);
    this.#wrote(to, at, this.arena.utf8Write(text, at, text.length * 3));
  }

  #bytes(to: Destination, bytes: Uint8Array): void {
    const length = bytes.length;
    if (length <= SHORT_BYTES) {
      const at = this.#reserve(length);
      const { arena } = this;
      for (let i = 0; i < length; i++) arena[at + i] = bytes[i]!;
      this.#wrote(to, at, length);
      return;
    }
    let done = 0;
    while (done < length) {
      if (this.#room() === 0) this.#nextBlock();
      const taken = Math.min(length - done, this.#room());
      const at = this.#reserve(taken);
      this.arena.set(taken === length ? bytes : bytes.subarray(done, done + taken), at);
      this.#wrote(to, at, taken);
      done += taken;
    }
  }

  /** Sends bytes of the arena from where they lie. */
  #reference(to: Destination, offset: number, length: number, block: number): void {
    to.submitted = (to.submitted + length) | 0;
    this.#append(to, offset, length, block);
  }

  #room(): number {
    return this.words[OUT_BYTES]! - this.words[OUT_USED]!;
  }

  /**
   * Where `bytes` bytes can be written; #wrote says how many were. Leaves room for their operation in the
   * list: handing the list over may give the block away, and must not come between the two.
   */
  #reserve(bytes: number): number {
    if (this.words[OP_COUNT] === LIST) native.flush(this.attachment);
    if (this.#room() < bytes) this.#nextBlock();
    return this.words[OUT_BLOCK]! + this.words[OUT_USED]!;
  }

  #wrote(to: Destination, at: number, bytes: number): void {
    const { words } = this;
    words[OUT_USED]! += bytes;
    to.submitted = (to.submitted + bytes) | 0;
    this.#append(to, at, bytes, words[OUT_BLOCK]!);
  }

  #nextBlock(): void {
    native.nextBlock(this.attachment);
  }

  /** A write, joined to the one before it where that ends where this begins. */
  #append(to: Destination, offset: number, length: number, block: number): void {
    if (length === 0) return;
    const { words } = this;
    const count = words[OP_COUNT]!;
    if (count > 0) {
      const at = FIRST + (count - 1) * OPERATION;
      if (
        words[at + 2]! + words[at + 3]! === offset &&
        words[at] === to.fd &&
        words[at + 1] === to.sequence &&
        words[at + 7] === block &&
        (words[at + 4]! & KIND) === WRITE
      ) {
        words[at + 3]! += length;
        return;
      }
    }
    this.#operation(to.fd, to.sequence, offset, length, WRITE, 0, 0, block);
  }

  #operation(
    fd: number,
    sequence: number,
    offset: number,
    length: number,
    kind: number,
    a: number,
    b: number,
    block: number,
  ): void {
    const { words } = this;
    if (words[OP_COUNT] === LIST) native.flush(this.attachment);
    const count = words[OP_COUNT]!;
    const at = FIRST + count * OPERATION;
    words[at] = fd;
    words[at + 1] = sequence;
    words[at + 2] = offset;
    words[at + 3] = length;
    words[at + 4] = kind;
    words[at + 5] = a;
    words[at + 6] = b;
    words[at + 7] = block;
    words[OP_COUNT] = count + 1;
    if (!this.inBatch) this.schedule();
  }
}

/** Writes a frame whole; answers its length. */
function encode(encoder: FrameEncoder, target: Uint8Array, at: number, payload: Uint8Array): number {
  const before = encoder.headerBytes(payload.length);
  encoder.writeHeader(target, at, payload.length);
  target.set(payload, at + before);
  const end = at + before + payload.length;
  return before + payload.length + encoder.writeTrailer(target, end, payload.length);
}

function asBytes(payload: Exclude<Payload, string>): Uint8Array {
  return payload instanceof Uint8Array ? payload : payload.view();
}

function toBytes(payload: Payload): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload) : asBytes(payload);
}
