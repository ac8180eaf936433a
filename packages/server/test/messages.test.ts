import { lengthPrefixed, lines, resp, type Connection, type Message } from '@millrace/server';
import { serve } from './support/serve';
import { deferred, failure, until } from './support/wait';

const access: [string, (message: Message) => unknown][] = [
  ['byteLength', (m) => m.byteLength],
  ['u8', (m) => m.u8(0)],
  ['utf8', (m) => m.utf8()],
  ['latin1', (m) => m.latin1()],
  ['view', (m) => m.view()],
  ['copy', (m) => m.copy()],
  ['partCount', (m) => m.partCount],
  ['part', (m) => m.part(0)],
];

describe('a message is valid', () => {
  test('until its handler returns', async () => {
    const kept: Message[] = [];
    const { connect } = await serve({
      framing: lines(),
      handler: {
        message(connection, message) {
          kept.push(message);
          connection.send(message);
        },
      },
    });
    const client = await connect();
    await client.write('one\n').readLine();
    for (const [name, use] of access) {
      expect([name, (await failure(() => use(kept[0]!))).code]).toEqual([name, 'ERR_MESSAGE_EXPIRED']);
    }
  });

  test('until its handler returns, also when it is sent on afterwards', async () => {
    const kept: [Connection, Message][] = [];
    const { connect } = await serve({
      framing: lines(),
      handler: {
        message(connection, message) {
          kept.push([connection, message]);
          connection.subscribe('topic');
          connection.send('kept');
        },
      },
    });
    const client = await connect();
    await client.write('one\n').readLine();
    const [connection, message] = kept[0]!;
    for (const send of [() => connection.send(message), () => connection.write(message)]) {
      expect((await failure(send)).code).toBe('ERR_MESSAGE_EXPIRED');
    }
    expect((await failure(() => connection.publish('topic', message, { includeSelf: true }))).code).toBe(
      'ERR_MESSAGE_EXPIRED',
    );
  });

  test('until its handler has thrown', async () => {
    let kept!: Message;
    const { server, connect } = await serve({
      handler: {
        message(_connection, message) {
          kept = message;
          throw new Error('on purpose');
        },
      },
    });
    const client = await connect();
    client.write('x');
    await until(() => server.stats().messages.failed === 1);
    await client.readAll();
    expect((await failure(() => kept.utf8())).code).toBe('ERR_MESSAGE_EXPIRED');
  });

  test('until the promise of its handler settles, either way', async () => {
    for (const settle of ['resolve', 'reject'] as const) {
      const gate = deferred();
      let kept!: Message;
      const seen: string[] = [];
      const { server, connect } = await serve({
        framing: lines(),
        handler: {
          async message(_connection, message) {
            kept = message;
            seen.push(message.utf8());
            await gate.promise;
            seen.push(message.utf8());
          },
        },
      });
      const client = await connect();
      client.write('first\n');
      await until(() => seen.length === 1);
      expect(kept.utf8()).toBe('first');
      if (settle === 'resolve') gate.resolve();
      else gate.reject(new Error('on purpose'));
      await until(() => server.stats().messages.inFlight === 0);
      expect((await failure(() => kept.utf8())).code).toBe('ERR_MESSAGE_EXPIRED');
      expect(seen).toEqual(settle === 'resolve' ? ['first', 'first'] : ['first']);
    }
  });
});

test('parts are offsets into the message, with nothing to parse', async () => {
  const seen: unknown[] = [];
  const { connect } = await serve({
    framing: resp(),
    handler: {
      async message(connection, m) {
        const look = (): unknown => ({
          count: m.partCount,
          texts: Array.from({ length: m.partCount }, (_, i) => m.partUtf8(i)),
          bytes: Array.from({ length: m.partCount }, (_, i) => Buffer.from(m.part(i)).toString()),
          whole: m.partCount === 0 ? '' : m.utf8().slice(m.partOffset(0), m.partOffset(0) + m.partLength(0)),
        });
        seen.push(look());
        await Promise.resolve();
        seen.push(look()); // it has moved, its parts with it
        connection.write('+OK\r\n');
      },
    },
  });
  const client = await connect();
  client.write(
    '*3\r\n$3\r\nSET\r\n$3\r\nkéy'.replace('é', 'e') + '\r\n$5\r\nva\r\nu\r\n' + 'GET  key\r\n*1\r\n$0\r\n\r\n',
  );
  expect(await client.readLine('\r\n')).toBe('+OK');
  expect(await client.readLine('\r\n')).toBe('+OK');
  expect(await client.readLine('\r\n')).toBe('+OK');
  const texts = [['SET', 'key', 'va\r\nu'], ['GET', 'key'], ['']];
  expect(seen).toEqual(
    texts.flatMap((parts) => {
      const one = { count: parts.length, texts: parts, bytes: parts, whole: parts[0] };
      return [one, one];
    }),
  );
});

test('very many parts', async () => {
  const { connect } = await serve({
    framing: resp(),
    handler: {
      message(connection, m) {
        let sum = 0;
        for (let i = 0; i < m.partCount; i++) sum += Number(m.partLatin1(i));
        connection.write(`:${sum}\r\n`);
      },
    },
  });
  const client = await connect();
  const count = 20_000;
  client.write(`*${count}\r\n${Array.from({ length: count }, (_, i) => `$${String(i).length}\r\n${i}\r\n`).join('')}`);
  expect(await client.readLine('\r\n')).toBe(`:${(count * (count - 1)) / 2}`);
});

test('frames of many sizes, over a MiB too, come whole', async () => {
  const { connect } = await serve({
    framing: lengthPrefixed({ maxBytes: 8 * 2 ** 20 }),
    handler: { message: (connection, message) => void connection.send(message) },
  });
  const client = await connect();
  for (const bytes of [0, 1, 63, 4_096, 65_531, 65_532, 65_536, 70_000, 1_000_000, 5_000_000]) {
    const frame = Buffer.alloc(bytes + 4);
    for (let i = 4; i < frame.length; i++) frame[i] = (i * 31) & 0xff;
    frame.writeUInt32BE(bytes);
    const answer = client.write(frame).read(frame.length);
    expect((await answer).equals(frame)).toBe(true);
  }
});
