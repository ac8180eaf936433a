import { createServer, lines, Publisher, type Connection, type Message } from '@millrace/server';
import { reportOf } from './support/child';
import { connectTo, serve } from './support/serve';
import { failure, until } from './support/wait';

describe('hazard 9: arena views', () => {
  test("kept past the server's end are empty; nothing reads memory that is gone", async () => {
    const views: Uint8Array[] = [];
    const parts: [Connection, Message][] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        async message(connection, message) {
          await Promise.resolve(); // it has moved to where it stays
          views.push(message.view(), message.view(1, 3));
          parts.push([connection, message]);
          await new Promise(() => {});
        },
      },
    });
    (await connect()).write('hello, which is longer than what is read byte by byte\n');
    await until(() => views.length === 2);
    expect(Buffer.from(parts[0]![1].view()).toString()).toContain('hello, which');
    await server.close({ drainMs: 0 });
    for (const view of views) {
      expect(view.byteLength).toBe(0);
      expect(view[0]).toBeUndefined();
    }
    const [connection, message] = parts[0]!;
    // Whatever is asked of what was kept: an error or nothing, never memory.
    for (const use of [() => message.u8(0), () => message.copy(), () => message.view()]) await failure(use);
    expect(message.utf8() + message.latin1()).toBe('');
    expect(connection.write('x')).toBe(false);
    expect(connection.send('x')).toBe(false);
    expect(connection.bufferedBytes).toBe(0);
    connection.pause();
    connection.end();
    connection.destroy();
    connection.subscribe('topic');
    expect(connection.remoteAddress === '127.0.0.1' || connection.remoteAddress === undefined).toBe(true);
  });

  test('of a publisher outlive the server, and harm nobody', async () => {
    const { server } = await serve({ framing: lines(), handler: {} });
    const publisher = Publisher.attach(server.share());
    await server.close();
    for (let i = 0; i < 1_000; i++) expect(publisher.publish('topic', 'x'.repeat(1_000))).toBe(0);
    publisher.close();
  });

  test("a copy is the application's own", async () => {
    const copies: Buffer[] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: { message: (_connection, message) => void copies.push(message.copy(), message.copy(1, 3)) },
    });
    const client = await connect();
    for (let i = 0; i < 100; i++) client.write(`number ${i}\n`);
    await until(() => copies.length === 200);
    await server.close({ drainMs: 0 });
    copies.forEach((copy, i) => expect(copy.toString()).toBe(i % 2 === 0 ? `number ${i / 2}` : 'um'));
  });
});

test('servers that come and go leave no descriptor, no thread and no memory', async () => {
  const report = await reportOf<{ before: object; after: object; growth: number }>('many-servers.js', {
    limitMs: 60_000,
  });
  expect(report.after).toEqual(report.before);
  expect(report.growth).toBeLessThan(32 * 2 ** 20);
});

test('servers of one process do not know each other', async () => {
  const servers = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const server = createServer({
        framing: lines(),
        handler: {
          message(connection, message) {
            connection.subscribe('room');
            connection.send(`${i} ${message.utf8()}`);
          },
        },
      });
      const { port } = (await server.listen({ host: '127.0.0.1' })) as { port: number };
      return { server, client: await connectTo(port) };
    }),
  );
  for (const [i, { client }] of servers.entries()) expect(await client.write('x\n').readLine()).toBe(`${i} x`);
  for (const [i, { server, client }] of servers.entries()) {
    expect(server.publish('room', `only ${i}`)).toBe(1);
    expect(await client.readLine()).toBe(`only ${i}`);
  }
  await Promise.all(servers.map(({ server }) => server.close({ drainMs: 0 })));
});
