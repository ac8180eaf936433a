import { lengthPrefixed, lines, resp, type Connection, type Message } from '@millrace/server';
import { serve } from './support/serve';
import { deferred, failure, until, type Deferred } from './support/wait';

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
    expect((await failure(() => connection.publish('topic', message, { includeSelf: true }))).code).toBe('ERR_MESSAGE_EXPIRED');
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

test('hazard 15: async handlers: a message shows its own bytes while other clients send, and none after it settled', async () => {
  const gates: Deferred<void>[] = [];
  const { server, connectMany } = await serve({
    framing: lengthPrefixed(),
    handler: {
      async message(connection, message) {
        const before = message.utf8();
        const gate = deferred();
        gates.push(gate);
        await gate.promise;
        connection.send(`${before}=${message.utf8()}`);
        connection.send(message);
      },
    },
  });
  const clients = await connectMany(8);
  const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  for (let round = 0; round < 50; round++) {
    clients.forEach((client, i) => client.write(frame(`client ${i} round ${round}`)));
    await until(() => gates.length === clients.length);
    for (const gate of gates.splice(0).reverse()) gate.resolve();
    for (const [i, client] of clients.entries()) {
      const text = `client ${i} round ${round}`;
      expect((await client.read(2 * text.length + 5)).toString('latin1', 4)).toBe(`${text}=${text}`);
      expect((await client.read(text.length + 4)).toString('latin1', 4)).toBe(text);
    }
  }
  expect(server.stats().messages).toMatchObject({ received: 400, handled: 400, inFlight: 0 });
});

test('a connection\'s next message waits for the promise of the one before, others do not', async () => {
  const gates: Deferred<void>[] = [];
  const log: string[] = [];
  const { connect } = await serve({
    framing: lines(),
    handler: {
      async message(_connection, message) {
        log.push(`begin ${message.utf8()}`);
        const gate = deferred();
        gates.push(gate);
        await gate.promise;
        log.push(`end ${message.utf8()}`);
      },
    },
  });
  const [a, b] = [await connect(), await connect()];
  a.write('a1\na2\na3\n');
  await until(() => log.length === 1);
  b.write('b1\n');
  await until(() => log.length === 2);
  expect(log).toEqual(['begin a1', 'begin b1']);
  for (let settled = 0; settled < 4; settled++) {
    await until(() => gates.length > settled);
    gates[settled]!.resolve();
  }
  await until(() => log.length === 8);
  expect(log.filter((entry) => entry.includes('a'))).toEqual([
    'begin a1', 'end a1', 'begin a2', 'end a2', 'begin a3', 'end a3', // prettier-ignore
  ]);
});

test('the next message also waits for an async open', async () => {
  const gate = deferred();
  const log: string[] = [];
  const { connect } = await serve({
    framing: lines(),
    handler: {
      async open() {
        log.push('open');
        if (log.length > 1) return;
        await gate.promise;
        log.push('opened');
      },
      message(connection, message) {
        log.push(message.utf8());
        connection.send(message);
      },
    },
  });
  const client = await connect();
  await until(() => log.length === 1);
  client.write('one\ntwo\n');
  const other = await connect();
  await other.write('of another\n').readLine();
  expect(log).toEqual(['open', 'open', 'of another']);
  gate.resolve();
  await client.readLines(2);
  expect(log.slice(3)).toEqual(['opened', 'one', 'two']);
});

test('promises of other kinds are promises too', async () => {
  const log: string[] = [];
  const { connect } = await serve({
    framing: lines(),
    handler: {
      message(connection, message) {
        const text = message.utf8();
        log.push(text);
        connection.send(message);
        // Calls back before then() has returned.
        return { then: (settled: () => void) => settled() } as PromiseLike<void>;
      },
    },
  });
  const client = await connect();
  expect(await client.write('one\ntwo\nthree\n').readLines(3)).toEqual(['one', 'two', 'three']);
  expect(await client.write('four\n').readLine()).toBe('four');
  expect(log).toEqual(['one', 'two', 'three', 'four']);
});

test('messages that waited are sent on by reference, whole and once', async () => {
  // The first of each chunk makes the others wait; those are handled synchronously.
  const { connect } = await serve({
    framing: lines(),
    handler: {
      message(connection, message) {
        connection.send(message);
        if (message.u8(0) === 0x61) return new Promise<void>((resolve) => setImmediate(resolve));
      },
    },
  });
  const others = await serve({ framing: lines(), handler: { message: (c, m) => void c.send(m) } });
  const noise = await others.connect();
  const client = await connect();
  for (let round = 0; round < 200; round++) {
    const sent = ['async', ...Array.from({ length: 20 }, (_, i) => `sync ${round} ${i} ${'x'.repeat(i * 40)}`)];
    client.write(sent.join('\n') + '\n');
    noise.write('noise\n'.repeat(50));
    expect(await client.readLines(sent.length)).toEqual(sent);
  }
});

test('a message that waited and was sent on is not let go of before it has been handed over', async () => {
  const bytes = 'a'.repeat(1_000);
  const { connect } = await serve({
    framing: lines(),
    handler: {
      message(connection, message) {
        if (message.byteLength === bytes.length) {
          connection.write(message);
          connection.write('\n');
        } else if (message.utf8() === 'wait') {
          return new Promise<void>((resolve) => setImmediate(resolve));
        } else {
          // Takes memory of the server, of the same size.
          connection.subscribe('z'.repeat(bytes.length));
        }
      },
    },
  });
  const client = await connect();
  expect(await client.write(`wait\n${bytes}\nsubscribe\n`).readLine()).toBe(bytes);
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
  client.write('*3\r\n$3\r\nSET\r\n$3\r\nkéy'.replace('é', 'e') + '\r\n$5\r\nva\r\nu\r\n' + 'GET  key\r\n*1\r\n$0\r\n\r\n');
  expect(await client.readLine('\r\n')).toBe('+OK');
  expect(await client.readLine('\r\n')).toBe('+OK');
  expect(await client.readLine('\r\n')).toBe('+OK');
  const texts = [
    ['SET', 'key', 'va\r\nu'],
    ['GET', 'key'],
    [''],
  ];
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
