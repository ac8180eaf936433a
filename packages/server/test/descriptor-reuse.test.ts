import { lines, type Connection, type Message } from '@millrace/server';
import { handlerModule, serve } from './support/serve';
import { withRandom } from './support/random';
import { until } from './support/wait';

test('a late write of a handler whose client is gone reaches nobody, whoever has the descriptor now', async () => {
  const late: { connection: Connection; message: Message; go: () => void; done: Promise<void> }[] = [];
  const outcomes: unknown[] = [];
  const { server, connect } = await serve({
    framing: lines(),
    handler: {
      async message(connection, message) {
        if (message.utf8() === 'quick') {
          connection.send('for the new one');
          return;
        }
        let go!: () => void;
        let done!: () => void;
        const waiting = new Promise<void>((resolve) => (go = resolve));
        late.push({ connection, message, go, done: new Promise((resolve) => (done = resolve)) });
        await waiting;
        // The message is still ours; the connection is nobody's.
        outcomes.push([message.utf8(), connection.closed, connection.signal.aborted]);
        outcomes.push([connection.send('secret'), connection.send(message), connection.write(message)]);
        connection.end('secret');
        connection.subscribe('room');
        connection.pause();
        connection.setIdleTimeout(1);
        connection.destroy(new Error('secret'));
        done();
      },
    },
  });
  const descriptors = new Set<number>();
  for (let round = 0; round < 50; round++) {
    const old = await connect();
    old.write('slow\n');
    await until(() => late.length === 1);
    const { connection, go, done } = late.pop()!;
    const { fd } = connection;
    old.reset();
    await until(() => server.stats().connections.open === 0);
    const fresh = await connect();
    await until(() => server.connections().length === 1);
    const [info] = server.connections();
    // The lowest free descriptor is given out again; the sequence is not.
    if (info!.fd === fd) descriptors.add(round);
    expect(info!.sequence).not.toBe(connection.sequence);
    go();
    await done;
    expect(outcomes.splice(0)).toEqual([
      ['slow', true, true],
      [false, false, false],
    ]);
    expect(server.publish('room', 'secret')).toBe(0);
    expect(await fresh.write('quick\n').readLine()).toBe('for the new one');
    fresh.end();
    expect((await fresh.readAll()).length).toBe(0);
    await until(() => server.stats().connections.open === 0);
  }
  // Or this proved nothing.
  expect(descriptors.size).toBeGreaterThan(25);
  expect(server.stats().messages).toMatchObject({ failed: 0, inFlight: 0 });
});

test('writes that still stand in a queue when their client is gone and its descriptor has a new one', async () => {
  const opened: Connection[] = [];
  const { server, connect } = await serve({
    connection: { maxWriteBytes: 0 },
    handler: { open: (connection) => void opened.push(connection) },
  });
  let reused = 0;
  for (let round = 0; round < 50; round++) {
    const old = await connect();
    await until(() => opened.length === 1);
    const connection = opened.pop()!;
    old.stopReading();
    // More than the system takes: most of it stands in the connection's output.
    connection.write(Buffer.alloc(4 * 2 ** 20, 'old'));
    old.reset();
    // Goes on writing until it hears of the end.
    while (connection.write('old')) await new Promise((resolve) => setImmediate(resolve));
    await until(() => server.stats().connections.open === 0);
    const fresh = await connect();
    await until(() => opened.length === 1);
    const next = opened.pop()!;
    if (next.fd === connection.fd) reused++;
    expect(next.bufferedBytes).toBe(0);
    connection.write('old');
    next.end('new');
    expect((await fresh.readAll()).toString()).toBe('new');
    fresh.end();
    await until(() => server.stats().connections.open === 0);
  }
  expect(reused).toBeGreaterThan(25);
});

test.each([0, 2])('clients come and go at random: nobody sees a byte of another, workers: %i', (workers) =>
  withRandom(async (random) => {
    const { server, connect } = await serve({
      framing: lines(),
      workers,
      handler: workers === 0 ? { message: (c: Connection, m: Message) => void c.send(m) } : handlerModule('echo.js'),
    } as Parameters<typeof serve>[0]);
    let next = 0;
    const oneAfterTheOther = async (): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const name = `client ${next++}`;
        const client = await connect();
        const sent = Array.from(
          { length: 1 + random.below(40) },
          (_, j) => `${name} ${j} ${'x'.repeat(random.below(200))}`,
        );
        client.write(sent.join('\n') + '\n');
        const how = random.below(3);
        if (how === 0) {
          client.reset();
        } else {
          const count = how === 1 ? sent.length : random.below(sent.length + 1);
          expect(await client.readLines(count)).toEqual(sent.slice(0, count));
          if (how === 1) client.end();
          else client.reset();
        }
        await client.closed;
      }
    };
    await Promise.all(Array.from({ length: 8 }, oneAfterTheOther));
    await until(() => server.stats().connections.open === 0);
    const { accepted, closed } = server.stats().connections;
    expect(Object.values(closed).reduce((a, b) => a + b, 0)).toBe(accepted);
    expect(new Set(Object.entries(closed).flatMap(([reason, n]) => (n > 0 ? [reason] : [])))).toEqual(
      new Set(['peer', 'reset']),
    );
  }),
);
