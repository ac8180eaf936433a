import { writeDecimal } from './decimal.js';
import type { Integer } from './integers.js';
import { ScratchViews } from './scratch-views.js';

/** Where replies go. The bytes are copied before `write` returns, as a Connection does: they are overwritten then. */
export interface ReplyOutput {
  write(bytes: Uint8Array): boolean;
}

/** Version of the Redis protocol that a client speaks. */
export type Protocol = 2 | 3;

const SCRATCH_BYTES = 16 * 1024;
/** A bulk string above this goes out by itself instead of through the scratch buffer. */
const DIRECT_BYTES = 4 * 1024;
/** Copying so few bytes one by one is quicker than a call. */
const SHORT_BYTES = 24;
const KEPT_VIEWS = 512;
const CACHED_HEADERS = 1024;
/** The longest header: a mark, 20 digits, CR LF. */
const HEADER_BYTES = 23;

const CRLF = Buffer.from('\r\n');
const OK = Buffer.from('+OK\r\n');
const NIL_2 = Buffer.from('$-1\r\n');
const NIL_3 = Buffer.from('_\r\n');

const bulkHeaders = Array.from({ length: CACHED_HEADERS }, (_, length) => Buffer.from(`$${length}\r\n`));

/**
 * Writes the replies of one command after another in RESP2 or RESP3. Belongs to one thread, which aims it with `begin`
 * and sends what has gathered with `flush`; nothing else may write to that output in between. Owns one scratch buffer;
 * a short reply costs one `write` and no allocation.
 */
export class Reply {
  readonly #beginnings = new ScratchViews(SCRATCH_BYTES, KEPT_VIEWS);
  readonly #scratch = this.#beginnings.bytes;
  #used = 0;
  #output: ReplyOutput | undefined;
  #nil = NIL_2;
  #protocol: Protocol = 2;

  begin(output: ReplyOutput, protocol: Protocol): void {
    this.#output = output;
    this.#used = 0;
    this.protocol = protocol;
  }

  get protocol(): Protocol {
    return this.#protocol;
  }

  set protocol(protocol: Protocol) {
    this.#protocol = protocol;
    this.#nil = protocol === 2 ? NIL_2 : NIL_3;
  }

  flush(): void {
    if (this.#used > 0) this.#send();
  }

  /** Bytes that are a reply, or a part of one, already. */
  raw(bytes: Uint8Array): void {
    if (this.#used === 0) {
      this.#output!.write(bytes);
    } else if (bytes.length <= DIRECT_BYTES) {
      this.#append(bytes);
    } else {
      this.#send();
      this.#output!.write(bytes);
    }
  }

  ok(): void {
    this.raw(OK);
  }

  nil(): void {
    this.raw(this.#nil);
  }

  simple(text: string): void {
    this.#line(`+${text}`);
  }

  /** `text` begins with the error's word: `ERR …`, `WRONGPASS …`. Line ends in it become blanks, as in Redis. */
  error(text: string): void {
    this.#line(`-${text.replace(/[\r\n]/g, ' ')}`);
  }

  integer(value: Integer): void {
    this.#header(0x3a, value);
  }

  array(length: number): void {
    this.#header(0x2a, length);
  }

  /** `pairs` keys and values follow; an array of twice as many elements in RESP2. */
  map(pairs: number): void {
    if (this.#protocol === 2) this.#header(0x2a, 2 * pairs);
    else this.#header(0x25, pairs);
  }

  set(length: number): void {
    this.#header(this.#protocol === 2 ? 0x2a : 0x7e, length);
  }

  /** What was not asked for: an out-of-band push in RESP3, an array in RESP2. */
  push(length: number): void {
    this.#header(this.#protocol === 2 ? 0x2a : 0x3e, length);
  }

  bulk(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length < CACHED_HEADERS) this.#append(bulkHeaders[length]!);
    else this.#header(0x24, length);
    if (length <= DIRECT_BYTES) {
      this.#append(bytes);
    } else {
      this.#send();
      this.#output!.write(bytes);
    }
    this.#append(CRLF);
  }

  /** A string of bytes, one UTF-16 unit each. */
  bulkText(latin1: string): void {
    const { length } = latin1;
    if (length > DIRECT_BYTES) {
      this.bulk(Buffer.from(latin1, 'latin1'));
      return;
    }
    this.#append(bulkHeaders[length] ?? Buffer.from(`$${length}\r\n`));
    this.#room(length + 2);
    this.#used += this.#scratch.write(latin1, this.#used, 'latin1');
    this.#append(CRLF);
  }

  /** Text as RESP3's verbatim string; a bulk string in RESP2. */
  verbatim(latin1: string): void {
    if (this.#protocol === 2) {
      this.bulkText(latin1);
    } else {
      this.#header(0x3d, latin1.length + 4);
      this.raw(Buffer.from(`txt:${latin1}\r\n`, 'latin1'));
    }
  }

  #line(text: string): void {
    const bytes = Buffer.from(`${text}\r\n`, 'latin1');
    this.raw(bytes);
  }

  #header(mark: number, value: Integer): void {
    this.#room(HEADER_BYTES);
    const scratch = this.#scratch;
    let used = this.#used;
    scratch[used++] = mark;
    used = writeDecimal(scratch, used, value);
    scratch[used++] = 0x0d;
    scratch[used++] = 0x0a;
    this.#used = used;
  }

  #append(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#room(length);
    if (length <= SHORT_BYTES) {
      const scratch = this.#scratch;
      let used = this.#used;
      for (let i = 0; i < length; i++) scratch[used++] = bytes[i]!;
      this.#used = used;
    } else {
      this.#scratch.set(bytes, this.#used);
      this.#used += length;
    }
  }

  #room(bytes: number): void {
    if (this.#used + bytes > SCRATCH_BYTES) this.#send();
  }

  #send(): void {
    const used = this.#used;
    this.#used = 0;
    if (used === 0) return;
    this.#output!.write(this.#beginnings.first(used));
  }
}
