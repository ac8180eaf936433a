import { lines, type CloseReason, type Connection } from '@millrace/server';
import { serve } from './support/serve';
import { deferred, failure, until } from './support/wait';

/** The server's clock is read once a tick of 8 ms, from a clock of 4. */
const ACCURACY_MS = 12;

async function timed(
  options: object,
  handler: object = {},
): Promise<{
  reasons: CloseReason[];
  connect: Awaited<ReturnType<typeof serve>>['connect'];
  server: Awaited<ReturnType<typeof serve>>['server'];
}> {
  const reasons: CloseReason[] = [];
  const { server, connect } = await serve({
    framing: lines(),
    ...options,
    handler: {
      message: (connection: Connection, message) => void connection.send(message),
      close: (_connection: Connection, reason) => void reasons.push(reason),
      ...handler,
    },
  });
  return { reasons, connect, server };
}

describe('an idle client', () => {
  test('is closed on time: not early, and with the reason idle', async () => {
    const { reasons, connect, server } = await timed({ idleTimeoutMs: 150 });
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const before = performance.now();
        const client = await connect();
        await client.readAll();
        expect(performance.now() - before).toBeGreaterThanOrEqual(150 - ACCURACY_MS);
      }),
    );
    await until(() => reasons.length === 20);
    expect(new Set(reasons)).toEqual(new Set(['idle']));
    expect(server.stats().connections.closed.idle).toBe(20);
  });

  test('stays as long as it sends', async () => {
    const { reasons, connect } = await timed({ idleTimeoutMs: 1_000 });
    const client = await connect();
    const begin = performance.now();
    let last = begin;
    while (last - begin < 1_500) {
      last = performance.now();
      expect(await client.write('x\n').readLine()).toBe('x');
    }
    expect(reasons).toEqual([]);
    await client.readAll();
    expect(performance.now() - last).toBeGreaterThanOrEqual(1_000 - ACCURACY_MS);
    await until(() => reasons.length === 1);
  });

  test('stays as long as it is sent to', async () => {
    let member: Connection | undefined;
    const { reasons, connect } = await timed(
      { idleTimeoutMs: 1_000 },
      { open: (connection: Connection) => void (member = connection) },
    );
    const client = await connect();
    await until(() => member !== undefined);
    const begin = performance.now();
    while (performance.now() - begin < 1_500) {
      member!.write('x\n');
      await client.readLine();
    }
    expect(reasons).toEqual([]);
  });

  test('setIdleTimeout gives a connection its own, and 0 switches it off', async () => {
    const own = [0, 30];
    const { reasons, connect } = await timed(
      { idleTimeoutMs: 100 },
      {
        open(connection: Connection) {
          const ms = own.shift();
          if (ms !== undefined) connection.setIdleTimeout(ms);
        },
        message: (connection: Connection, message: { utf8(): string }) =>
          connection.setIdleTimeout(Number(message.utf8())),
      },
    );
    const kept = await connect();
    await until(() => own.length === 1);
    const others = [await connect(), await connect()];
    await Promise.all(others.map((client) => client.readAll()));
    await until(() => reasons.length === 2);
    expect(kept.socket.readyState).toBe('open');
    await kept.write('20\n').readAll();
    await until(() => reasons.length === 3);
    expect(reasons).toEqual(['idle', 'idle', 'idle']);
  });

  test('setIdleTimeout takes very long times, and refuses what is none', async () => {
    const opened = deferred<Connection>();
    const { connect } = await serve({ handler: { open: (connection) => opened.resolve(connection) } });
    const client = await connect();
    const connection = await opened.promise;
    for (const ms of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 0]) connection.setIdleTimeout(ms);
    for (const [ms, code] of [
      [-1, 'ERR_OUT_OF_RANGE'],
      [1.5, 'ERR_OUT_OF_RANGE'],
      [Number.NaN, 'ERR_OUT_OF_RANGE'],
      ['5', 'ERR_INVALID_ARG_TYPE'],
    ] as const) {
      expect((await failure(() => connection.setIdleTimeout(ms as number))).code).toBe(code);
    }
    client.write('x');
  });
});

test('a client that never sends a first byte, and one that does', async () => {
  const { reasons, connect } = await timed({ firstByteTimeoutMs: 1_000 });
  const talker = await connect();
  expect(await talker.write('x\n').readLine()).toBe('x');
  const before = performance.now();
  const quiet = await connect();
  await quiet.readAll();
  expect(performance.now() - before).toBeGreaterThanOrEqual(1_000 - ACCURACY_MS);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual(['first-byte']);
  expect(await talker.write('still here\n').readLine()).toBe('still here');
});

test('a connection that has lived long enough, however busy', async () => {
  const { reasons, connect } = await timed({ maxLifetimeMs: 150, idleTimeoutMs: 10_000 });
  const before = performance.now();
  const client = await connect();
  while ((await client.write('x\n').readLine()) === 'x');
  expect(performance.now() - before).toBeGreaterThanOrEqual(150 - ACCURACY_MS);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual(['lifetime']);
});

test('a peer that never ends after our end is waited for, but not for ever', async () => {
  const { reasons, connect } = await timed({}, { message: (connection: Connection) => connection.end('bye') });
  const client = await connect();
  expect((await client.write('x\n').readAll()).toString()).toBe('bye');
  expect(reasons).toEqual([]);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual(['local']);
});
