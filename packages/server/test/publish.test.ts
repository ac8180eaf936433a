import { lines, raw, type Connection } from '@millrace/server';
import { chat, subscribed, upTo } from './support/chat';
import { serve } from './support/serve';
import { until } from './support/wait';

describe('who gets what is published', () => {
  test('subscribers of the topic, until they unsubscribe or close; the answer counts them', async () => {
    const running = await serve({ framing: lines(), handler: chat });
    const { server } = running;
    expect(server.publish('news', 'nobody')).toBe(0);
    const [a, b, c] = [
      await subscribed(running, 'news'),
      await subscribed(running, 'news'),
      await subscribed(running, 'x'),
    ];
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
