'use strict';
// node keeps-alive.js WORKERS CASE: ends by itself when the case lets it.
const net = require('node:net');
const { join } = require('node:path');
const { createServer } = require('@millrace/server');

const workers = Number(process.argv[2]);
const handler = workers === 0 ? require('../handlers/echo.js') : join(__dirname, '../handlers/echo.js');
const server = createServer({ handler, workers });

const echo = (port) =>
  new Promise((resolve, reject) => {
    const client = net.connect(port, '127.0.0.1', () => client.write('x'));
    client.on('error', reject);
    client.on('data', () => client.destroy());
    client.on('close', resolve);
  });

const cases = {
  async 'closed after use'() {
    const { port } = await server.listen({ host: '127.0.0.1' });
    await echo(port);
    await server.close();
  },
  async 'never listened'() {},
  async 'closed, never listened'() {
    await server.close();
  },
  async 'listen failed'() {
    await server.listen({ host: '192.0.2.1' }).catch(() => {});
  },
  async unref() {
    const { port } = await server.listen({ host: '127.0.0.1' });
    await echo(port);
    server.unref();
  },
  async 'unref before listen'() {
    server.unref();
    // Nothing else keeps the process: what listens must not, and the client must.
    const timer = setTimeout(() => {}, 60_000);
    const { port } = await server.listen({ host: '127.0.0.1' });
    await echo(port);
    clearTimeout(timer);
  },
  async 'unref and ref'() {
    const { port } = await server.listen({ host: '127.0.0.1' });
    await echo(port);
    if (server.unref().ref() !== server) throw new Error('not chainable');
    setTimeout(() => {
      console.log('still here');
      void server.close();
    }, 300).unref();
  },
  async 'aborted by a signal'() {
    const abort = new AbortController();
    const { port } = await server.listen({ host: '127.0.0.1', signal: abort.signal });
    await echo(port);
    abort.abort();
  },
  async 'await using'() {
    // As `await using` does at the end of its block.
    const { port } = await server.listen({ host: '127.0.0.1' });
    await echo(port);
    await server[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  },
};

void cases[process.argv[3]]().then(() => console.log('done'));
