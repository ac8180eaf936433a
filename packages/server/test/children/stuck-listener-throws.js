'use strict';
/** A listener of 'stuck' throws: whether the worker is replaced all the same. */
const net = require('node:net');
const { once } = require('node:events');
const { join } = require('node:path');
const { setImmediate } = require('node:timers/promises');
const { createServer, lines } = require('@millrace/server');

async function main() {
  const caught = [];
  const mark = new Int32Array(new SharedArrayBuffer(4));
  process.on('uncaughtException', (error) => caught.push(error.message));
  const server = createServer({
    framing: lines(),
    handler: join(__dirname, '../handlers/blocks-outside.js'),
    workers: 1,
    workerData: mark,
    stuckAfterMs: 500,
    warnAfterMs: 0,
  });
  server.on('stuck', () => {
    throw new Error('a listener failed');
  });
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  const client = net.connect(port, '127.0.0.1');
  const replaced = once(server, 'replaced');
  client.write('block\n');
  await once(client, 'data');
  while (Atomics.load(mark, 0) === 0) await setImmediate();
  client.write('waits\n');
  const [{ reason }] = await replaced;
  const [answer] = await once(client, 'data');
  client.destroy();
  await server.close();
  console.log(JSON.stringify({ caught, reason, answer: answer.toString() }));
}

main();
