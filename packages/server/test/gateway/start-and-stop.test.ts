import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayProcess } from './gateway-process';
import { encodeCommand, RespClient } from './resp-client';

let folder: string;
let occupied: Server;
let occupiedPort: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-start-'));
  occupied = createServer();
  await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve));
  occupiedPort = String((occupied.address() as AddressInfo).port);
});

afterAll(() => {
  occupied.close();
  rmSync(folder, { recursive: true });
});

const FREE = ['--port', '0', '--admin-port', '0'];

test.each<[string, () => string[], RegExp]>([
  ['an unknown flag', () => ['--nonsense'], /Unknown option '--nonsense'/],
  ['a bad value', () => ['--port', 'x'], /--port must be a port/],
  [
    'a port in use',
    () => [...FREE, '--feed', 'none', '--port', occupiedPort],
    /cannot listen on 127\.0\.0\.1:\d+: address already in use/,
  ],
  [
    'an admin port in use',
    () => [...FREE, '--feed', 'none', '--admin-port', occupiedPort],
    /cannot listen on 127\.0\.0\.1:\d+: address already in use/,
  ],
  [
    'an address that is not ours',
    () => [...FREE, '--feed', 'none', '--host', '192.0.2.1'],
    /cannot listen on 192\.0\.2\.1/,
  ],
  [
    'a feed that is not there',
    () => [...FREE, '--feed', `file:${join(folder, 'nothing')}`],
    /no such file or directory/,
  ],
  ['a feed that is no file', () => [...FREE, '--feed', `file:${folder}`], /not a regular file/],
  ['a configuration that is not there', () => ['--config', join(folder, 'nothing')], /no such file or directory/],
  ['too little memory', () => [...FREE, '--max-memory', '64mb', '--max-clients', '1000000'], /too little/],
])('%s: one line with the cause, exit code 2', async (_name, flags, cause) => {
  const { code, stdout, stderr } = await GatewayProcess.run(flags());
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^millrace-server: [^\n]+\n$/);
  expect(stderr).toMatch(cause);
});

test.each([
  [['--help'], /^Usage: millrace-server/],
  [['--version'], /^\d+\.\d+\.\d+\n$/],
  [['--check'], /^the configuration is valid\n$/],
  [['--print-config', '--port', '7'], /"port": 7/],
])('%j answers and ends', async (flags, output) => {
  const { code, stdout, stderr } = await GatewayProcess.run(flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(output);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s: replies to what came before are sent, exit code 0', async (signal) => {
  const gateway = await GatewayProcess.start('--workers', '2', '--feed', 'synthetic:20000');
  const clients = await Promise.all(Array.from({ length: 10 }, () => RespClient.connect(gateway.port)));
  for (const client of clients) await client.send('SET', 'k', 'v');
  for (const client of clients) client.write(encodeCommand(['GET', 'k']));
  const replies = clients.map((client) => client.until('$1\r\nv\r\n'));
  await Promise.all(replies);
  gateway.kill(signal);
  await Promise.all(clients.map((client) => client.untilClosed()));
  expect((await gateway.ended()).code).toBe(0);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while it starts: it stops when it can, exit code 0', async (signal) => {
  const gateway = GatewayProcess.launch('--workers', '2', '--log-level', 'debug');
  await gateway.logged('starting');
  gateway.kill(signal);
  expect(await gateway.ended()).toMatchObject({ code: 0, signal: null });
  await gateway.logged('stopped');
});

test('a second signal ends it at once, whoever has not read his reply', async () => {
  const gateway = await GatewayProcess.start();
  const client = await RespClient.connect(gateway.port);
  await client.send('SET', 'large', 'x'.repeat(4 * 1024 * 1024));
  client.pause();
  for (let i = 0; i < 3; i++) client.write(encodeCommand(['GET', 'large']));
  // The first large reply is on its way, and cannot leave.
  while (!/"bufferedBytes": [1-9]/.test(await readConnections(gateway)));
  gateway.kill('SIGTERM');
  await gateway.logged('stopping');
  gateway.kill('SIGTERM');
  expect(await gateway.ended()).toMatchObject({ code: 1, signal: null });
  await client.close();
});

async function readConnections(gateway: GatewayProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.adminPort}/connections?sort=bufferedBytes&limit=1`)).text();
}
