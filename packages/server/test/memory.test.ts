import { createServer, lengthPrefixed, lines, type ServerEvents } from '@millrace/server';
import { reportOf } from './support/child';
import { connectTo, serve } from './support/serve';
import { until } from './support/wait';

const MIB = 2 ** 20;

describe('hazard 23: memory plan', () => {
  test('is a sum of parts, known before the server starts, and does not change when it does', async () => {
    const options = { handler: {}, maxConnections: 500, memory: { maxBytes: 64 * MIB } };
    const plan = createServer(options).memoryPlan();
    expect(plan.totalBytes).toBe(plan.parts.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(plan.parts.every(({ name, bytes }) => name !== '' && Number.isInteger(bytes) && bytes > 0)).toBe(true);
    expect(plan.parts.find(({ name }) => name === 'arena')!.bytes).toBe(64 * MIB);
    const { server } = await serve(options);
    expect(server.memoryPlan()).toEqual(plan);
    expect(server.stats().memory.planBytes).toBe(plan.totalBytes);
    await server.close();
    expect(server.memoryPlan()).toEqual(plan);
  });

  test('grows with what it is asked to hold', () => {
    const total = (options: object): number => createServer({ handler: {}, ...options }).memoryPlan().totalBytes;
    const base = total({});
    expect(total({ memory: { maxBytes: 512 * MIB } })).toBeGreaterThan(base + 255 * MIB);
    expect(total({ maxConnections: 100_000 })).toBeGreaterThan(base);
    expect(total({ queues: { work: { capacity: 65_536 } } })).toBeGreaterThan(base);
    expect(total({ maxSubscriptions: 1_000_000 })).toBeGreaterThan(base);
    expect(total({ memory: { maxBytes: 4 * MIB }, maxConnections: 10 })).toBeLessThan(base);
  });

  // Each in a process of its own: RSS is the process's.
  test.each([
    ['idle', '2,000 idle connections'],
    ['never-reads', 'peers that never read what they are sent'],
    ['echo', 'echoes without end'],
    ['connects', 'clients that come and go'],
  ])('RSS stays within it, and flat: %s', async (name) => {
    const report = await reportOf<{ planBytes: number; growth: number; later: number; open: number }>('rss.js', {
      args: [name],
      limitMs: 60_000,
    });
    expect(report.growth).toBeLessThan(report.planBytes);
    // V8 takes and gives back a few MiB as it likes.
    expect(report.later).toBeLessThan(16 * MIB);
  });
});

test('a server within little memory refuses the greedy, serves the others, and says so', async () => {
  const { server, port, connectMany } = await serve({
    framing: lengthPrefixed({ maxBytes: 16 * MIB }),
    memory: { maxBytes: 8 * MIB },
    maxConnections: 100,
    handler: { message: (connection, message) => void connection.send(message) },
  });
  const actions: ServerEvents['overload'][0]['action'][] = [];
  server.on('overload', ({ action, maxBytes }) => {
    actions.push(action);
    expect(maxBytes).toBe(8 * MIB);
  });
  const quiet = await connectTo(port);
  const frame = Buffer.from([0, 0, 0, 2, 1, 2]);
  expect(await quiet.write(frame).read(6)).toEqual(frame);
  // Each announces more than there is, and sends on without end.
  const greedy = await connectMany(8);
  const ends = greedy.map((client) => {
    client.write(Buffer.from([1, 0, 0, 0]));
    const chunk = Buffer.alloc(64 * 1024);
    const push = (): void => {
      while (client.socket.writable && client.socket.write(chunk));
    };
    client.socket.on('drain', push);
    push();
    return client.closed;
  });
  await until(() => server.stats().connections.closed.overload > 0);
  expect(server.stats().memory.usedBytes).toBeLessThanOrEqual(8 * MIB);
  for (let i = 0; i < 50; i++) expect(await quiet.write(frame).read(6)).toEqual(frame);
  for (const client of greedy) client.socket.destroy();
  await Promise.all(ends);
  await until(() => server.stats().connections.open === 1);
  expect(await quiet.write(frame).read(6)).toEqual(frame);
  expect(actions.filter((action) => action === 'pause-reads').length).toBe(
    actions.filter((action) => action === 'recovered').length,
  );
});

test('frames above the limit cost the peer its connection, and nothing else', async () => {
  const { server, connect } = await serve({
    framing: lines({ maxBytes: 1_000 }),
    handler: { message: (connection, message) => void connection.send(message) },
  });
  const bystander = await connect();
  for (let round = 0; round < 50; round++) {
    const client = await connect();
    client.write(Buffer.alloc(100_000, 'x'));
    expect((await client.readAll()).length).toBe(0);
    client.socket.destroy();
    expect(await bystander.write(`${round}\n`).readLine()).toBe(String(round));
  }
  await until(() => server.stats().connections.closed.protocol === 50);
  expect(server.stats().memory.usedBytes).toBeLessThan(2 * MIB);
});

test('hazard 14: small message, large block: echoes to peers that never read hold the smallest blocks', async () => {
  const { server, connectMany } = await serve({
    framing: lengthPrefixed(),
    maxConnections: 600,
    memory: { maxBytes: 32 * MIB },
    connection: { highWaterBytes: 64 * MIB, maxWriteBytes: 0 },
    handler: {
      // Fills what the system takes, then echoes a little.
      message(connection, message) {
        if (message.byteLength === 1) connection.write(Buffer.alloc(4 * MIB));
        else connection.send(message);
      },
    },
  });
  const [full] = await connectMany(1);
  full!.stopReading().write(Buffer.from([0, 0, 0, 1, 0]));
  await until(() => (server.connections()[0]?.bufferedBytes ?? 0) > 0);
  const before = server.stats().memory.usedBytes;
  const frame = Buffer.alloc(68);
  frame.writeUInt32BE(64);
  // One at a time: each is alone in what it was received into.
  for (let i = 1; i <= 200; i++) {
    full!.write(frame);
    await until(() => server.stats().messages.handled === i + 1);
  }
  await until(
    () => server.connections()[0]!.bufferedBytes + server.connections()[0]!.bytesWritten === 4 * MIB + 200 * 68,
  );
  expect(server.stats().memory.usedBytes - before).toBeLessThan(MIB / 4);
});
