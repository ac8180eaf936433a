'use strict';
// node many-servers.js: servers are made, used, closed or given up, many times over.
const net = require('node:net');
const { join } = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');
const { createServer, lines, Publisher } = require('@millrace/server');
const { holdings } = require('./load.js');

v8.setFlagsFromString('--expose-gc');
const collect = vm.runInNewContext('gc');

const echo = (port) =>
  new Promise((resolve, reject) => {
    const client = net.connect(port, '127.0.0.1', () => client.write('x\n'));
    client.on('error', reject);
    client.on('data', () => client.destroy());
    client.on('close', resolve);
  });

async function one(round) {
  const workers = round % 5 === 0 ? 2 : 0;
  const handler = workers === 0 ? require('../handlers/echo.js') : join(__dirname, '../handlers/echo.js');
  const server = createServer({ framing: lines(), handler, workers, memory: { maxBytes: 32 * 2 ** 20 } });
  // Some cannot listen, and are never closed.
  if (round % 7 === 3) return void (await server.listen({ host: '192.0.2.1' }).catch(() => {}));
  const { port } = await server.listen({ host: '127.0.0.1' });
  const publisher = round % 3 === 0 ? Publisher.attach(server.share()) : undefined;
  await echo(port);
  publisher?.publish('topic', 'x');
  if (round % 2 === 0) publisher?.close();
  await server.close({ drainMs: round % 4 === 0 ? 0 : 1_000 });
  publisher?.close();
}

async function main() {
  for (let round = 0; round < 10; round++) await one(round);
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  const before = holdings();
  const { rss } = process.memoryUsage();
  for (let round = 0; round < 60; round++) await one(round);
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  console.log(JSON.stringify({ before, after: holdings(), growth: process.memoryUsage().rss - rss }));
}

void main();
