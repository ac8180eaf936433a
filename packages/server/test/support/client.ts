import net from 'node:net';

/** A client that waits for bytes and ends, never for time. */
export class Client {
  /** What came and was not read yet: joined when somebody looks at it. */
  #chunks: Buffer[] = [];
  #length = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  error: NodeJS.ErrnoException | undefined;
  /** The socket is gone, whatever ended it. */
  readonly closed: Promise<void>;
  /** Its own port. */
  readonly port: number;

  private constructor(readonly socket: net.Socket) {
    this.port = socket.localPort!;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake?.();
    });
    const ended = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', ended);
    socket.on('close', ended);
    socket.on('error', (error) => (this.error = error));
  }

  /** @param to - a port of 127.0.0.1, the path of a unix socket, or what net.connect takes */
  static async connect(to: number | string | net.TcpNetConnectOpts): Promise<Client> {
    const where = typeof to === 'number' ? { host: '127.0.0.1', port: to } : typeof to === 'string' ? { path: to } : to;
    const socket = net.connect({ allowHalfOpen: true, ...where } as net.NetConnectOpts);
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Client(socket);
  }

  write(bytes: string | Uint8Array): this {
    this.socket.write(bytes);
    return this;
  }

  /** Ends this side; the other may go on. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Ends with a reset. */
  reset(): this {
    this.socket.resetAndDestroy();
    return this;
  }

  /** The next `count` bytes; fewer when the server ends before. */
  async read(count: number): Promise<Buffer> {
    await this.#until(() => this.#length >= count);
    return this.#take(Math.min(count, this.#length));
  }

  /** Up to the delimiter, without it; everything there is when the server ends before. */
  async readLine(delimiter = '\n'): Promise<string> {
    await this.#until(() => this.#joined().includes(delimiter));
    const at = this.#joined().indexOf(delimiter);
    if (at < 0) return this.#take(this.#length).toString();
    const line = this.#take(at).toString();
    this.#take(delimiter.length);
    return line;
  }

  async readLines(count: number): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await this.readLine());
    return lines;
  }

  /** Everything up to the server's end. */
  async readAll(): Promise<Buffer> {
    await this.#until(() => false);
    return this.#take(this.#length);
  }

  /** Reads nothing from the system until `readOn`. */
  stopReading(): this {
    this.socket.pause();
    return this;
  }

  readOn(): this {
    this.socket.resume();
    return this;
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  #take(count: number): Buffer {
    const bytes = this.#joined();
    this.#chunks = [bytes.subarray(count)];
    this.#length -= count;
    return bytes.subarray(0, count);
  }
}
