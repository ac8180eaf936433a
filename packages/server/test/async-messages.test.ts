import { lengthPrefixed, lines } from '@millrace/server';
import { serve } from './support/serve';
import { deferred, until, type Deferred } from './support/wait';

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

test("a connection's next message waits for the promise of the one before, others do not", async () => {
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
    'begin a1',
    'end a1',
    'begin a2',
    'end a2',
    'begin a3',
    'end a3', // prettier-ignore
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
        return message.u8(0) === 0x61 ? new Promise<void>((resolve) => setImmediate(resolve)) : undefined;
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
        if (message.utf8() === 'wait') return new Promise<void>((resolve) => setImmediate(resolve));
        if (message.byteLength === bytes.length) {
          connection.write(message);
          connection.write('\n');
        } else {
          // Takes memory of the server, of the same size.
          connection.subscribe('z'.repeat(bytes.length));
        }
        return undefined;
      },
    },
  });
  const client = await connect();
  expect(await client.write(`wait\n${bytes}\nsubscribe\n`).readLine()).toBe(bytes);
});
