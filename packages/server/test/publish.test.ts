import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { lines, Publisher, raw, type Connection } from '@millrace/server';
import type { Client } from './support/client';
import { handlerModule, make, serve, type Running } from './support/serve';
import { failure, until } from './support/wait';

/** "subscribe T", "unsubscribe T", "publish T payload", "publish-self T payload": each is answered. */
const chat = {
  message(connection: Connection, message: { utf8(): string }): void {
    const [word, topic, ...rest] = message.utf8().split(' ') as [string, string, ...string[]];
    if (word === 'subscribe') connection.subscribe(topic);
    else if (word === 'unsubscribe') connection.unsubscribe(topic);
    else {
      const reached = connection.publish(topic, rest.join(' '), { includeSelf: word === 'publish-self' });
      connection.send(`reached ${reached}`);
      return;
    }
    connection.send(`${word}d`);
  },
};

async function subscribed(running: Running, ...topics: string[]): Promise<Client> {
  const client = await running.connect();
  for (const topic of topics) {
    client.write(`subscribe ${topic}\n`);
    expect(await client.readLine()).toBe('subscribed');
  }
  return client;
}

/** What a client gets up to a mark that is published last. */
async function upTo(mark: string, client: Client): Promise<string[]> {
  const got: string[] = [];
  for (let line = await client.readLine(); line !== mark; line = await client.readLine()) got.push(line);
  return got;
}

describe('who gets what is published', () => {
  test('subscribers of the topic, until they unsubscribe or close; the answer counts them', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const { server } = running;
    expect(server.publish('news', 'nobody')).toBe(0);
    const [a, b, c] = [await subscribed(running, 'news'), await subscribed(running, 'news'), await subscribed(running, 'x')];
    expect(server.publish('news', 'one')).toBe(2);
    expect(server.publish('x', 'for c')).toBe(1);
    expect([await a.readLine(), await b.readLine(), await c.readLine()]).toEqual(['one', 'one', 'for c']);
    await b.write('unsubscribe news\n').readLine();
    expect(server.publish('news', 'two')).toBe(1);
    expect(await a.readLine()).toBe('two');
    a.end();
    await until(() => server.stats().connections.open === 2);
    expect(server.publish('news', 'three')).toBe(0);
    const { published } = server.stats();
    expect(published).toMatchObject({ offered: 4, delivered: 4, inFlight: 0 });
  });

  test('not the publisher itself, unless it says so', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const [a, b] = [await subscribed(running, 'room'), await subscribed(running, 'room')];
    expect(await a.write('publish room hello\n').readLine()).toBe('reached 1');
    expect(await b.readLine()).toBe('hello');
    a.write('publish-self room again\n');
    expect(new Set(await a.readLines(2))).toEqual(new Set(['reached 2', 'again']));
    expect(await b.readLine()).toBe('again');
  });

  test('once, however often it subscribed', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const client = await subscribed(running, 'room', 'room');
    expect(running.server.publish('room', 'one')).toBe(1);
    running.server.publish('room', 'end');
    expect(await upTo('end', client)).toEqual(['one']);
    await client.write('unsubscribe room\n').readLine();
    expect(running.server.publish('room', 'two')).toBe(0);
  });

  test('once for each subscription that matches', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const client = await subscribed(running, 'room', 'r*', '*');
    expect(running.server.publish('room', 'one')).toBe(3);
    expect(await client.readLines(3)).toEqual(['one', 'one', 'one']);
  });

  test.each([
    ['tick:*', ['tick:', 'tick:BTC'], ['tick', 'tock:BTC']],
    ['h?llo', ['hello', 'hallo'], ['hllo', 'heello']],
    ['h[ae]llo', ['hello', 'hallo'], ['hillo']],
    ['h[^e]llo', ['hallo', 'hbllo'], ['hello']],
    ['h[a-c]llo', ['hallo', 'hbllo'], ['hdllo']],
    ['*', ['', 'anything'], []],
    ['a*b*c', ['abc', 'aXbYc'], ['ab', 'acb']],
    ['literal', ['literal'], ['literals', 'litera']],
    ['star\\*', ['star*'], ['star', 'starX', 'star\\*']],
    ['q\\?', ['q?'], ['qx']],
    ['\\[x]', ['[x]'], ['x']],
    ['back\\\\slash', ['back\\slash'], ['back\\\\slash']],
    ['back\\\\*', ['back\\', 'back\\slash'], ['back']],
    ['\\*:*', ['*:', '*:x'], ['x:y']],
    ['ü*', ['ü', 'über'], ['u']],
    ['€:😀', ['€:😀'], ['€']],
  ])('pattern %s', async (pattern, matching, others) => {
    let connection!: Connection;
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        open(opened) {
          connection = opened;
          opened.subscribe(pattern);
          opened.send('ready');
        },
      },
    });
    const client = await connect();
    await client.readLine();
    for (const topic of matching) {
      expect([topic, server.publish(topic, topic)]).toEqual([topic, 1]);
      expect(await client.readLine()).toBe(topic);
    }
    for (const topic of others) expect([topic, server.publish(topic, 'x')]).toEqual([topic, 0]);
    connection.unsubscribe(pattern);
    for (const topic of matching) expect(server.publish(topic, topic)).toBe(0);
  });

  test('what was written before subscribe() comes before any message, what was written after comes too', async () => {
    const { server, connectMany } = await serve({
      framing: lines(),
      handler: {
        message(connection) {
          connection.send('before');
          connection.subscribe('room');
          connection.send('confirmed');
        },
      },
    });
    const publishing = setInterval(() => {
      for (let i = 0; i < 50; i++) server.publish('room', 'message');
    });
    const clients = await connectMany(30);
    for (const client of clients) {
      expect(await client.write('x\n').readLine()).toBe('before');
      expect(await client.readLine()).toBe('confirmed');
      expect(await client.readLine()).toBe('message');
    }
    clearInterval(publishing);
  });
});

describe('publish and subscribe refuse', () => {
  test.each([
    [[5, 'x'], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 5], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 'x', 5], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 'x', { key: {} }], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 'x', { key: Number.NaN }], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 'x', { framed: 'no' }], 'ERR_INVALID_ARG_TYPE'],
    [['topic', 'x', { includeSelf: 1 }], 'ERR_INVALID_ARG_TYPE'],
  ])('%j', async (given, code) => {
    const { server } = await serve({ handler: {} });
    expect((await failure(() => server.publish(...(given as Parameters<typeof server.publish>)))).code).toBe(code);
  });

  test('topics that are none, or too long', async () => {
    const outcomes: (string | undefined)[] = [];
    const { connect } = await serve({
      handler: {
        async open(connection) {
          for (const topic of [5, undefined, 'x'.repeat(16_385)]) {
            outcomes.push((await failure(() => connection.subscribe(topic as string))).code);
          }
          outcomes.push((await failure(() => connection.unsubscribe(5 as unknown as string))).code);
          connection.subscribe('x'.repeat(16_384));
          connection.end();
        },
      },
    });
    await (await connect()).readAll();
    expect(outcomes).toEqual([
      'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE', // prettier-ignore
    ]);
  });

  test('more than maxSubscriptions, until some are free again', async () => {
    let refusal: NodeJS.ErrnoException | undefined;
    const running = await serve({
      framing: lines(),
      maxSubscriptions: 3,
      handler: {
        async message(connection, message) {
          const topic = message.utf8();
          refusal = undefined;
          try {
            connection.subscribe(topic);
          } catch (error) {
            refusal = error as NodeJS.ErrnoException;
          }
          connection.send('done');
        },
      },
    });
    const [a, b] = [await running.connect(), await running.connect()];
    for (const topic of ['one', 'two', 'three']) await a.write(`${topic}\n`).readLine();
    expect(refusal).toBeUndefined();
    await b.write('four\n').readLine();
    expect(refusal).toMatchObject({ code: 'ERR_SERVER_SUBSCRIPTIONS' });
    a.end();
    await until(() => running.server.stats().connections.open === 1);
    await b.write('four\n').readLine();
    expect(refusal).toBeUndefined();
    expect(running.server.publish('four', 'x')).toBe(1);
  });

  test('a message that is too large for a block, and takes one that just fits', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const client = await subscribed(running, 'room');
    const most = 65_536 - 20 - 'room'.length - 1;
    expect(running.server.publish('room', 'x'.repeat(most))).toBe(1);
    expect((await client.readLine()).length).toBe(most);
    expect((await failure(() => running.server.publish('room', 'x'.repeat(most + 1)))).code).toBe('ERR_MESSAGE_TOO_LARGE');
  });

  test('after close', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const publisher = Publisher.attach(running.server.share());
    const other = Publisher.attach(running.server.share());
    publisher.close();
    publisher.close();
    expect((await failure(() => publisher.publish('a', 'b'))).code).toBe('ERR_SERVER_CLOSED');
    const token = running.server.share();
    await running.server.close();
    expect((await failure(() => running.server.publish('a', 'b'))).code).toBe('ERR_SERVER_CLOSED');
    expect((await failure(() => running.server.share())).code).toBe('ERR_SERVER_CLOSED');
    expect(other.publish('a', 'b')).toBe(0);
    other.close();
    expect((await failure(() => Publisher.attach(token))).code).toBe('ERR_SHARED_GONE');
    expect((await failure(() => Publisher.attach({ kind: 'queue', id: 1 } as never))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect((await failure(() => Publisher.attach({ ...token, nonce: 0 } as never))).code).toBe('ERR_SHARED_GONE');
  });
});

describe('framing', () => {
  test('is added as by send, unless framed is false', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const client = await subscribed(running, 'room');
    running.server.publish('room', 'framed');
    running.server.publish('room', '(raw)', { framed: false });
    running.server.publish('room', Buffer.from('bytes'));
    expect((await client.read(18)).toString()).toBe('framed\n(raw)bytes\n');
  });

  test('raw framing adds nothing', async () => {
    const { server, connect } = await serve({
      framing: raw(),
      handler: {
        open(connection) {
          connection.subscribe('room');
          connection.write('!');
        },
      },
    });
    const client = await connect();
    await client.read(1);
    server.publish('room', 'abc');
    expect((await client.read(3)).toString()).toBe('abc');
  });
});

describe('across threads', () => {
  test('a message published on one worker reaches subscribers on every worker', async () => {
    const running = await serve({ framing: lines(), handler: handlerModule('chat.js'), workers: 2 });
    const clients = await running.connectMany(6);
    for (const client of clients) await client.write('subscribe room\n').readLine();
    for (const [i, client] of clients.entries()) {
      expect(await client.write(`publish room from ${i}\n`).readLine()).toBe('reached 5');
      for (const other of clients) if (other !== client) expect(await other.readLine()).toBe(`from ${i}`);
    }
    expect(running.server.publish('room', 'from main')).toBe(6);
    for (const client of clients) expect(await client.readLine()).toBe('from main');
  });

  test('a plain worker thread publishes by token, in order, also when it ends without closing', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const clients = await Promise.all([subscribed(running, 'room'), subscribed(running, 'room')]);
    for (const how of ['close', 'no close'] as const) {
      const worker = new Worker(handlerModule('publisher-thread.js'), {
        workerData: { token: running.server.share(), count: 5_000, how },
      });
      const exited = once(worker, 'exit');
      for (const client of clients) {
        const got = await client.readLines(5_000);
        expect(got).toEqual(Array.from({ length: 5_000 }, (_, i) => `${how} ${i}`));
      }
      expect(await exited).toEqual([0]);
    }
    const { published } = running.server.stats();
    expect(published).toMatchObject({ offered: 20_000, delivered: 20_000, inFlight: 0 });
  });

  test('a publisher is ended by process.exit() and terminate() without harm, and its place is free again', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const client = await subscribed(running, 'room');
    client.socket.on('data', () => {});
    for (let round = 0; round < 20; round++) {
      const worker = new Worker(handlerModule('publisher-thread.js'), {
        workerData: { token: running.server.share(), count: 1e9, how: round % 2 === 0 ? 'exit' : 'terminated' },
      });
      await once(worker, 'message');
      await (round % 2 === 0 ? once(worker, 'exit') : worker.terminate());
    }
    expect(running.server.publish('room', 'end')).toBe(1);
    await until(() => {
      const { offered, delivered, inFlight } = running.server.stats().published;
      return offered === delivered + inFlight && inFlight === 0;
    });
  });

  test('as many publishers as there is room for, and a clear error for one more', async () => {
    const server = make({ framing: lines(), handler: {} });
    await server.listen({ host: '127.0.0.1' });
    const publishers: Publisher[] = [];
    const error = await failure(() => {
      for (;;) publishers.push(Publisher.attach(server.share()));
    });
    expect(error.code).toBe('ERR_SERVER_MEMORY');
    expect(publishers.length).toBeGreaterThanOrEqual(60);
    publishers.pop()!.close();
    publishers.push(Publisher.attach(server.share()));
    for (const publisher of publishers) publisher[Symbol.dispose]();
  });
});
