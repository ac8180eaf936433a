import { lengthPrefixed, lines, type Connection, type Message } from '@millrace/server';
import { withConnections } from './support/connections';
import { serve } from './support/serve';
import { failure, until } from './support/wait';

describe('write and send', () => {
  test('refuse what is no payload', async () => {
    const { take } = await withConnections();
    const { connection } = await take();
    for (const payload of [undefined, null, 5, {}, [1], true, Symbol('x')]) {
      for (const call of ['write', 'send', 'publish'] as const) {
        const error = await failure(() =>
          call === 'publish' ? connection.publish('topic', payload as never) : connection[call](payload as never),
        );
        expect([call, error.code]).toEqual([call, 'ERR_INVALID_ARG_TYPE']);
      }
    }
    expect((await failure(() => connection.end(5 as never))).code).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('strings are UTF-8, whatever their characters and their length', async () => {
    const { take } = await withConnections();
    const { connection, client } = await take();
    for (const unit of ['a', 'ü', '€', '😀', '\u0000', 'aü€😀']) {
      for (const times of [1, 7, 24, 25, 1_000, 5_000, 30_000, 200_000]) {
        const text = unit.repeat(times);
        const expected = Buffer.from(text);
        expect(connection.write(text) || connection.bufferedBytes > 0).toBe(true);
        expect((await client.read(expected.length)).equals(expected)).toBe(true);
      }
    }
    connection.write('\ud800lone');
    expect((await client.read(7)).toString()).toBe('\ufffdlone');
  });

  test('bytes of all sizes, in order with strings, from any view', async () => {
    const { take } = await withConnections({ connection: { maxWriteBytes: 0 } });
    const { connection, client } = await take();
    const sent: Buffer[] = [];
    for (const size of [0, 1, 23, 24, 25, 100, 65_535, 65_536, 65_537, 300_000, 3_000_000]) {
      const bytes = new Uint8Array(new ArrayBuffer(size + 8), 8, size).map((_, i) => (i * 7 + size) & 0xff);
      connection.write(bytes);
      connection.write(`after ${size}`);
      sent.push(Buffer.from(bytes), Buffer.from(`after ${size}`));
    }
    const expected = Buffer.concat(sent);
    expect((await client.read(expected.length)).equals(expected)).toBe(true);
  });

  test('what is written may be changed right afterwards', async () => {
    const { take } = await withConnections();
    const { connection, client } = await take();
    const bytes = Buffer.from('0123456789'.repeat(10));
    connection.write(bytes);
    bytes.fill('x');
    expect((await client.read(100)).toString()).toBe('0123456789'.repeat(10));
  });

  test('send adds the framing, and refuses what it cannot carry', async () => {
    const { take, closes } = await withConnections({ framing: lengthPrefixed({ lengthBytes: 2, maxBytes: 1_000 }) });
    const { connection, client } = await take();
    connection.send('ü');
    connection.send(Buffer.from('bytes'));
    connection.send('');
    expect((await client.read(13)).toString('hex')).toBe('0002c3bc000562797465730000');
    expect((await failure(() => connection.send('x'.repeat(1_001)))).code).toBe('ERR_MESSAGE_TOO_LARGE');
    connection.send('still open');
    expect((await client.read(12)).toString('latin1', 2)).toBe('still open');
    expect(closes).toEqual([]);
  });

  test('more operations than one list holds, by copy and by reference, keep their bytes', async () => {
    // References take no room of the output block: the list is full long before that is.
    const connections: Connection[] = [];
    const { connectMany, server } = await serve({
      framing: lines(),
      handler: {
        open: (connection) => void connections.push(connection),
        message(_connection, message) {
          for (let i = 0; i < 512; i++) for (const to of connections) to.write(message);
          for (let i = 0; i < 600; i++) {
            connections[0]!.write(`first ${i};`);
            connections[1]!.write(`second ${i};`);
          }
        },
      },
    });
    const [a, b] = await connectMany(2);
    await until(() => connections.length === 2);
    const first = connections[0]!.remotePort === a!.port ? a! : b!;
    const second = first === a ? b! : a!;
    first.write('reference;\n');
    const text = (name: string): string =>
      'reference;'.repeat(512) + Array.from({ length: 600 }, (_, i) => `${name} ${i};`).join('');
    expect((await first.read(text('first').length)).toString()).toBe(text('first'));
    expect((await second.read(text('second').length)).toString()).toBe(text('second'));
    expect(server.stats().messages).toMatchObject({ handled: 1 });
  });

  test('a message of another server, and one of a server that has closed since', async () => {
    const kept: Message[] = [];
    const other = await serve({
      framing: lines(),
      handler: {
        message(connection, message) {
          kept.push(message);
          return new Promise<void>((resolve) => connection.signal.addEventListener('abort', () => resolve()));
        },
      },
    });
    const { take } = await withConnections({ framing: lines() });
    const { connection, client } = await take();
    const sender = await other.connect();
    sender.write('from elsewhere\n');
    await until(() => kept.length === 1);
    connection.send(kept[0]!);
    connection.write(kept[0]!);
    connection.write('\n');
    expect(await client.readLines(2)).toEqual(['from elsewhere', 'from elsewhere']);
    await other.server.close({ drainMs: 0 });
    expect((await failure(() => connection.send(kept[0]!))).code).toBe('ERR_MESSAGE_EXPIRED');
  });
});
