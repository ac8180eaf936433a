import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Whether Redis 7 is installed: what is compared with it is skipped, and counted, where it is not. */
export const redisIsInstalled = /v=7\./.test(
  spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout ?? '',
);

export const redisCliIsInstalled = spawnSync('redis-cli', ['--version']).status === 0;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A Redis of the test's own: loopback, one database, nothing on disk. */
export class RedisProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(): Promise<RedisProcess> {
    const port = await freePort();
    const flags = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--databases', 1];
    const child = spawn('redis-server', flags.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      output += chunk.toString();
      if (output.includes('Ready to accept connections')) break;
    }
    return new RedisProcess(child, port);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
