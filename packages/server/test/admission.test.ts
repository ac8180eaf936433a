import { once } from 'node:events';
import { lines, type ConnectionInfo } from '@millrace/server';
import { connectTo, serve } from './support/serve';
import { failure, until } from './support/wait';

const echo = {
  framing: lines(),
  handler: { message: (c: never, m: never) => void (c as { send(m: unknown): void }).send(m) },
};

test('maxConnections: more are turned away and counted, and a place that is free again is given', async () => {
  const { server, connectMany, connect } = await serve({ ...echo, maxConnections: 3 });
  const clients = await connectMany(3);
  for (const client of clients) expect(await client.write('x\n').readLine()).toBe('x');
  const late = await connect();
  expect((await late.readAll()).length).toBe(0);
  await until(() => server.stats().connections.rejected.maxConnections === 1);
  clients[0]!.end();
  await clients[0]!.closed;
  await until(() => server.stats().connections.open === 2);
  expect(await (await connect()).write('again\n').readLine()).toBe('again');
  expect(server.stats().connections).toMatchObject({ open: 3, accepted: 4 });
});

test('maxConnectionsPerAddress: one address is limited, another is not', async () => {
  const { server, port, connectMany } = await serve({ ...echo, maxConnectionsPerAddress: 2 });
  const clients = await connectMany(2);
  for (const client of clients) await client.write('x\n').readLine();
  expect((await (await connectTo(port)).readAll()).length).toBe(0);
  const other = await connectTo({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
  expect(await other.write('other\n').readLine()).toBe('other');
  expect(server.stats().connections.rejected.maxConnectionsPerAddress).toBe(1);
  clients[0]!.end();
  await until(() => server.stats().connections.open === 2);
  expect(await (await connectTo(port)).write('again\n').readLine()).toBe('again');
});

test('acceptRate: a burst above it is turned away, and counted', async () => {
  const { server, connectMany } = await serve({ ...echo, acceptRate: 10 });
  const clients = await connectMany(60);
  const outcomes = await Promise.all(
    clients.map((client) =>
      client
        .write('x\n')
        .readLine()
        .then((line) => line === 'x'),
    ),
  );
  const served = outcomes.filter(Boolean).length;
  const { accepted, rejected } = server.stats().connections;
  expect(served).toBe(accepted);
  expect(accepted + rejected.acceptRate!).toBe(60);
  // A second's worth at once, and what the seconds of a slow machine added.
  expect(accepted).toBeLessThan(60);
  expect(accepted).toBeGreaterThan(0);
});

test('nobody is refused silently: accepted and rejected are all', async () => {
  const { server, port } = await serve({ ...echo, maxConnections: 10 });
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => connectTo(port).catch((error: Error) => error)));
  const connected = outcomes.filter((outcome) => !(outcome instanceof Error)).length;
  await until(() => {
    const { accepted, rejected } = server.stats().connections;
    return accepted + rejected.maxConnections! >= connected;
  });
});

describe('connections()', () => {
  test('sorts downwards and limits', async () => {
    const { server, connectMany } = await serve(echo);
    const clients = await connectMany(5);
    for (const [i, client] of clients.entries()) await client.write(`${'x'.repeat(i * 10)}\n`).readLine();
    const ports = (infos: ConnectionInfo[]): number[] => infos.map(({ remotePort }) => remotePort!);
    await until(() => server.connections().every(({ bytesWritten, bytesRead }) => bytesWritten === bytesRead));
    expect(ports(server.connections({ sort: 'bytesRead' }))).toEqual(clients.map(({ port }) => port).reverse());
    expect(ports(server.connections({ sort: 'bytesRead', limit: 2 }))).toEqual([clients[4]!.port, clients[3]!.port]);
    expect(server.connections({ limit: 0 })).toEqual([]);
    expect(server.connections().length).toBe(5);
    const [first] = server.connections({ sort: 'sequence', limit: 1 });
    expect(first).toEqual({
      fd: expect.any(Number),
      sequence: 5,
      id: `5:${first!.fd}`,
      remoteAddress: '127.0.0.1',
      remotePort: expect.any(Number),
      bytesRead: expect.any(Number),
      bytesWritten: expect.any(Number),
      bufferedBytes: 0,
      openedAtMs: expect.any(Number),
      idleMs: expect.any(Number),
    });
    expect(Math.abs(first!.openedAtMs - Date.now())).toBeLessThan(60_000);
    expect(ports(server.connections({ sort: 'idleMs' })).length).toBe(5);
  });

  test('refuses what is no order and no limit', async () => {
    const { server } = await serve(echo);
    for (const [options, code] of [
      [{ sort: 'size' }, 'ERR_INVALID_ARG_VALUE'],
      [{ limit: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ limit: '3' }, 'ERR_INVALID_ARG_TYPE'],
      [5, 'ERR_INVALID_ARG_TYPE'],
    ] as const) {
      expect((await failure(() => server.connections(options as never))).code).toBe(code);
    }
  });

  test('is empty before listen and after close', async () => {
    const { server, connect } = await serve(echo);
    await (await connect()).write('x\n').readLine();
    await server.close({ drainMs: 0 });
    expect(server.connections()).toEqual([]);
  });
});

describe('the connection event', () => {
  test('carries a snapshot of each, from the first on', async () => {
    const { server, connectMany } = await serve(echo);
    const infos: ConnectionInfo[] = [];
    server.on('connection', (info) => infos.push(info));
    const clients = await connectMany(30);
    await until(() => infos.length === 30);
    expect(infos.map(({ remotePort }) => remotePort).sort()).toEqual(clients.map(({ port }) => port).sort());
    expect(new Set(infos.map(({ id }) => id)).size).toBe(30);
  });

  test('for once, and for nobody', async () => {
    const { server, connect } = await serve(echo);
    const first = once(server, 'connection');
    const client = await connect();
    expect(((await first)[0] as ConnectionInfo).remotePort).toBe(client.port);
    expect(server.listenerCount('connection')).toBe(0);
    expect(await (await connect()).write('unannounced\n').readLine()).toBe('unannounced');
  });
});
