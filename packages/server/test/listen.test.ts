import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ListenOptions } from '@millrace/server';
import { connectTo, make, portOf, serve } from './support/serve';
import { failure } from './support/wait';

const echo = { handler: { message: (c: { write(m: unknown): unknown }, m: unknown) => void c.write(m) } } as never;

const folder = mkdtempSync(join(tmpdir(), 'millrace-listen-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What net.Server answers to the same request. */
async function nodeFailure(options: net.ListenOptions): Promise<NodeJS.ErrnoException> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.on('error', resolve);
    server.listen(options, () => server.close(() => reject(new Error('net.Server could listen'))));
  });
}

async function echoes(to: number | string): Promise<string> {
  const client = await connectTo(to);
  return (await client.write('hello').read(5)).toString();
}

describe('listen options are refused', () => {
  test.each([
    [undefined, 'ERR_INVALID_ARG_TYPE'],
    [{ port: '80' }, 'ERR_INVALID_ARG_TYPE'],
    [{ port: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ port: 65_536 }, 'ERR_OUT_OF_RANGE'],
    [{ host: 5 }, 'ERR_INVALID_ARG_TYPE'],
    [{ backlog: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ ipv6Only: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: '' }, 'ERR_INVALID_ARG_VALUE'],
    [{ fd: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ fd: 1.5 }, 'ERR_OUT_OF_RANGE'],
    [{ signal: 'now' }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
  ])('%j', async (options, code) => {
    const server = make(echo);
    expect((await failure(() => server.listen(options as ListenOptions))).code).toBe(code);
    expect(server.listening).toBe(false);
    expect(server.address()).toBeNull();
    // Nothing was begun: it can still listen.
    await server.listen({ host: '127.0.0.1' });
    expect(await echoes(portOf(server))).toBe('hello');
  });
});

describe('errors are worded as by node:net', () => {
  test('a port in use', async () => {
    const { port } = await serve(echo);
    const at = { port, host: '127.0.0.1' };
    const error = await failure(() => make(echo).listen(at));
    const expected = await nodeFailure(at);
    expect(error.message).toBe(expected.message);
    expect(error).toMatchObject({ code: 'EADDRINUSE', errno: expected.errno, syscall: 'listen', ...{ port } });
    expect((error as { address?: string }).address).toBe('127.0.0.1');
  });

  test('a port in use on every address', async () => {
    const { port } = await serve(echo, { port: 0 });
    expect((await failure(() => make(echo).listen({ port }))).message).toBe((await nodeFailure({ port })).message);
  });

  test('an address that is not ours', async () => {
    const at = { port: 0, host: '192.0.2.1' };
    const error = await failure(() => make(echo).listen(at));
    expect(error.code).toBe('EADDRNOTAVAIL');
    expect(error.message).toBe((await nodeFailure(at)).message);
  });

  test.each([
    // libuv makes EACCES of this, for the sake of Windows.
    ['in a folder that is not there', join(folder, 'none', 'socket'), 'ENOENT', 'no such file or directory'],
    ['where a file is', join(folder, 'file'), 'EADDRINUSE', 'address already in use'],
    // Node cuts it.
    ['that is too long', join(folder, 'x'.repeat(120)), 'ENAMETOOLONG', 'name too long'],
  ])('a path %s', async (_name, path, code, text) => {
    writeFileSync(join(folder, 'file'), '');
    const error = await failure(() => make(echo).listen({ path }));
    expect(error).toMatchObject({ code, syscall: 'listen', address: path });
    expect(error.message).toBe(`listen ${code}: ${text} ${path}`);
  });

  test('a descriptor that is none, or no socket', async () => {
    const none = await failure(() => make(echo).listen({ fd: 9_999 }));
    expect(none).toMatchObject({ code: 'EBADF', syscall: 'listen', message: 'listen EBADF: bad file descriptor' });
    const file = openSync(join(folder, 'file'), 'w+');
    const error = await failure(() => make(echo).listen({ fd: file }));
    expect(error.message).toBe((await nodeFailure({ fd: file } as net.ListenOptions)).message);
    closeSync(file); // it is still ours
  });

  test('a host name that is not known', async () => {
    const error = await failure(() => make(echo).listen({ host: 'no-such-host.invalid' }));
    expect(['ENOTFOUND', 'EAI_AGAIN']).toContain(error.code);
    expect(error.syscall).toBe('getaddrinfo');
  });
});

describe('where it listens', () => {
  test('a free port on every address by default', async () => {
    const server = make(echo);
    const address = await server.listen({});
    expect(address).toEqual(server.address());
    expect(address).toMatchObject({ address: '::', family: 'IPv6' });
    expect(await echoes(portOf(server))).toBe('hello');
    const client = await connectTo({ host: '::1', port: portOf(server) });
    expect((await client.write('six').read(3)).toString()).toBe('six');
  });

  test('IPv6 only, when told so', async () => {
    const server = make(echo);
    await server.listen({ host: '::', ipv6Only: true });
    expect((await failure(() => connectTo(portOf(server)))).code).toBe('ECONNREFUSED');
    await connectTo({ host: '::1', port: portOf(server) });
  });

  test('a host name', async () => {
    const server = make(echo);
    const address = await server.listen({ host: 'localhost' });
    expect(['127.0.0.1', '::1']).toContain((address as net.AddressInfo).address);
  });

  test('a unix socket, whose file goes with the server', async () => {
    const path = join(folder, 'socket');
    let remote: unknown = 'unset';
    const server = make({
      handler: {
        message(c, m) {
          remote = [c.remoteAddress, c.remotePort, c.localAddress, c.localPort];
          c.write(m);
        },
      },
    });
    expect(await server.listen({ path })).toBe(path);
    expect(server.address()).toBe(path);
    expect(await echoes(path)).toBe('hello');
    expect(remote).toEqual([undefined, undefined, undefined, undefined]);
    expect(server.connections()[0]).toMatchObject({ remoteAddress: undefined, remotePort: undefined });
    await server.close({ drainMs: 0 });
    expect(existsSync(path)).toBe(false);
  });

  test('an abstract unix socket', async () => {
    // Padded, as libuv's clients pad theirs.
    const path = `\0millrace-test-${process.pid}`.padEnd(108, '\0');
    await serve(echo, { path });
    expect(await echoes(path)).toBe('hello');
  });

  test('a unix socket whose file somebody has removed', async () => {
    const path = join(folder, 'removed');
    const server = make(echo);
    await server.listen({ path });
    rmSync(path);
    await server.close();
  });

  test('a descriptor made by somebody else, which the server then owns', async () => {
    // The child inherits the socket as descriptor 3.
    const script = `
      const net = require('node:net');
      const { spawnSync } = require('node:child_process');
      const listener = net.createServer().listen(0, '127.0.0.1', () => {
        const child = spawnSync(process.execPath, [process.argv[1]], { stdio: ['ignore', 'pipe', 'inherit', listener._handle.fd] });
        process.stdout.write(child.stdout);
        process.exit(child.status ?? 9);
      });`;
    const out = execFileSync(process.execPath, ['-e', script, join(__dirname, 'children/listen-fd.js')]).toString();
    expect(JSON.parse(out)).toEqual({ family: 'IPv4', echoed: 'hello' });
  });
});
