import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

const BIN = join(__dirname, '..', '..', 'dist', 'bin', 'millrace-server.js');

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface LogLine {
  readonly msg: string;
  readonly port?: number;
  readonly adminPort?: number;
}

/** The real gateway in a process of its own, on free ports. */
export class GatewayProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #wake: () => void = () => undefined;
  port = 0;
  adminPort = 0;

  private constructor(flags: readonly string[], environment: Record<string, string>) {
    this.#child = spawn(process.execPath, [BIN, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
      this.#wake();
    });
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
      this.#wake();
    });
    this.#ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#wake();
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  /** Does not wait until it listens. */
  static launch(...flags: string[]): GatewayProcess {
    return new GatewayProcess(['--port', '0', '--admin-port', '0', '--feed', 'none', ...flags], {});
  }

  /** Resolves when it listens. */
  static async start(...flags: string[]): Promise<GatewayProcess> {
    const gateway = GatewayProcess.launch(...flags);
    const { port, adminPort } = await gateway.logged('listening');
    gateway.port = port!;
    gateway.adminPort = adminPort ?? 0;
    return gateway;
  }

  /** Runs it to its end. */
  static run(flags: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
    return new GatewayProcess(flags, environment).#ended;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The first log line with this message, as soon as it is there. */
  async logged(message: string): Promise<LogLine> {
    for (;;) {
      const found = this.#stderr
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as LogLine)
        .find(({ msg }) => msg === message);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null)
        throw new Error(`the gateway ended with ${this.#child.exitCode}: ${this.#stderr}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<Ended> {
    return this.#ended;
  }

  /** Asks it to stop and waits until it has. */
  async stop(): Promise<Ended> {
    this.#child.kill('SIGTERM');
    return this.#ended;
  }
}
