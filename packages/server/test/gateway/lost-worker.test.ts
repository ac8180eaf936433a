import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, resp, type Server } from '@millrace/server';
import type { HandlerData } from '../../dist/gateway/handler.js';
import { Stores } from '../../dist/gateway/stores.js';
import { encodeCommand, RespClient } from './resp-client';

const settings = {
  host: '127.0.0.1',
  maxMemoryBytes: 2 ** 26,
  maxKeyBytes: 2 ** 20,
  maxClients: 100,
  maxSubscriptions: 100,
  idleTimeoutMs: 0,
  maxCommandBytes: 2 ** 20,
  workers: 1,
  feed: 'none',
};

let stores: Stores;
let server: Server;
let port: number;

beforeEach(async () => {
  stores = Stores.create({ maxKeyBytes: settings.maxKeyBytes, maxNameBytes: 2 ** 20, maxClients: settings.maxClients });
  const workerData: HandlerData = { stores: stores.share(), settings, feed: undefined };
  server = createServer({
    handler: join(__dirname, 'blocking-handler.js'),
    workers: 1,
    workerData,
    framing: resp(),
    warnAfterMs: 50,
    stuckAfterMs: 200,
  });
  port = ((await server.listen({ port: 0, host: '127.0.0.1' })) as AddressInfo).port;
});

afterEach(async () => {
  await server.close({ drainMs: 0 });
  stores.close();
});

test('a worker that is lost takes one connection with it; the others go on where they were', async () => {
  const [blocker, speaker, subscriber] = [
    await RespClient.connect(port),
    await RespClient.connect(port),
    await RespClient.connect(port),
  ];
  await blocker.send('SUBSCRIBE', 'news', 'mine');
  await speaker.send('HELLO', '3', 'SETNAME', 'speaker');
  await subscriber.send('SUBSCRIBE', 'news');
  await subscriber.send('PSUBSCRIBE', 'n*');

  const replaced = once(server, 'replaced');
  blocker.write(encodeCommand(['BLOCK']));
  await blocker.untilClosed();
  await replaced;
  stores.sessions.sweep(() => new Set(server.connections().map(({ sequence }) => sequence)));

  expect(await speaker.send('GET', 'nothing')).toBe('_\r\n');
  expect(await speaker.call('CLIENT', 'GETNAME')).toBe('speaker');
  expect(await speaker.call('PUBSUB', 'NUMSUB', 'news', 'mine')).toEqual(['news', 1, 'mine', 0]);
  expect(await speaker.call('PUBLISH', 'news', 'hello')).toBe(2);
  await subscriber.until('$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$5\r\nhello\r\n');
  expect(await subscriber.send('GET', 'k')).toMatch(/^-ERR Can't execute 'get'/);
  await Promise.all([speaker.close(), subscriber.close()]);
});
