import { connect, type Socket } from 'node:net';

/** A reply as data: text for bulk and simple strings, numbers for integers, Errors for errors. */
export type Value = string | number | null | Error | Value[];

const PONG_HEAD = '*2\r\n$4\r\npong\r\n';

export function encodeCommand(words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1');
}

/** A connection that sees the bytes of replies. Words and bytes are latin1 strings. */
export class RespClient {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #received = '';
  #wake: () => void = () => undefined;
  #marks = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#wake());
  }

  static async connect(port: number): Promise<RespClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RespClient(socket);
  }

  /** Everything that comes until the reply to a PING sent behind the command, or until the connection closes. */
  async send(...words: string[]): Promise<string> {
    return this.exchange(encodeCommand(words));
  }

  async exchange(bytes: Buffer): Promise<string> {
    const mark = `mark-${this.#marks++}`;
    const tail = `$${mark.length}\r\n${mark}\r\n`;
    this.#socket.write(bytes);
    this.#socket.write(encodeCommand(['PING', mark]));
    const reply = await this.#take((received) => (received.endsWith(tail) ? received.length : -1));
    if (!reply.endsWith(tail)) return reply;
    const head = reply.slice(0, -tail.length);
    return head.endsWith(PONG_HEAD) ? head.slice(0, -PONG_HEAD.length) : head;
  }

  async call(...words: string[]): Promise<Value> {
    return decodeReplies(await this.send(...words))[0]!;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** What comes until `text` has come. */
  async until(text: string): Promise<string> {
    return this.#take((received) => {
      const at = received.indexOf(text);
      return at < 0 ? -1 : at + text.length;
    });
  }

  /** What comes until the other side closes. */
  async untilClosed(): Promise<string> {
    await this.#closed;
    const received = this.#received;
    this.#received = '';
    return received;
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#closed;
  }

  async #take(find: (received: string) => number): Promise<string> {
    for (;;) {
      const end = find(this.#received);
      if (end >= 0 || this.#socket.closed) {
        const taken = this.#received.slice(0, end < 0 ? undefined : end);
        this.#received = this.#received.slice(taken.length);
        return taken;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** The replies in `bytes`, in RESP2 or RESP3. */
export function decodeReplies(bytes: string): Value[] {
  let at = 0;
  const line = (): string => {
    const end = bytes.indexOf('\r\n', at);
    const text = bytes.slice(at, end);
    at = end + 2;
    return text;
  };
  const text = (length: number): string => {
    at += length + 2;
    return bytes.slice(at - length - 2, at - 2);
  };
  const next = (): Value => {
    const head = line();
    const count = Number(head.slice(1));
    switch (head[0]) {
      case '+':
        return head.slice(1);
      case '-':
        return new Error(head.slice(1));
      case ':':
        return count;
      case '$':
        return count < 0 ? null : text(count);
      case '=':
        return text(count).slice(4);
      case '_':
        return null;
      case '%':
        return Array.from({ length: 2 * count }, next);
      default:
        return Array.from({ length: count }, next);
    }
  };
  const values: Value[] = [];
  while (at < bytes.length) values.push(next());
  return values;
}
