import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { lines, Publisher } from '@millrace/server';
import { chat, subscribed } from './support/chat';
import { handlerModule, make, serve } from './support/serve';
import { failure, until } from './support/wait';

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
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
      'ERR_OUT_OF_RANGE',
      'ERR_INVALID_ARG_TYPE', // prettier-ignore
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
    expect((await failure(() => running.server.publish('room', 'x'.repeat(most + 1)))).code).toBe(
      'ERR_MESSAGE_TOO_LARGE',
    );
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
    expect((await failure(() => Publisher.attach({ kind: 'queue', id: 1 } as never))).code).toBe(
      'ERR_INVALID_ARG_VALUE',
    );
    expect((await failure(() => Publisher.attach({ ...token, nonce: 0 } as never))).code).toBe('ERR_SHARED_GONE');
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
