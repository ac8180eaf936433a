'use strict';
// node --expose-gc rss.js CASE: how much memory a server and its clients' connections take, and whether
// that grows. Clients live in a process of their own.
const { fork } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const { setTimeout: wait } = require('node:timers/promises');
const v8 = require('node:v8');
const vm = require('node:vm');

const MIB = 2 ** 20;
const name = process.argv[2];

if (process.send !== undefined) {
  const [port, count] = [Number(process.argv[3]), Number(process.argv[4])];
  const connect = () => net.connect(port, '127.0.0.1').on('error', () => {});
  const clients = {
    idle: () => {
      for (let i = 0; i < count; i++) connect();
    },
    'never-reads': () => {
      for (let i = 0; i < count; i++) {
        const socket = connect();
        socket.pause();
        const request = Buffer.alloc(1_000, 'x');
        request[999] = 10;
        const push = () => {
          while (socket.write(request));
        };
        socket.on('drain', push);
        push();
      }
    },
    echo: () => {
      for (let i = 0; i < count; i++) {
        const socket = connect();
        const line = 'x'.repeat(200) + '\n';
        socket.write(line.repeat(32));
        socket.on('data', (bytes) => socket.write(bytes));
      }
    },
    connects: () => {
      const one = () => {
        const socket = connect();
        socket.write('hello\n');
        socket.once('data', () => socket.end());
        socket.once('close', one);
      };
      for (let i = 0; i < count; i++) one();
    },
  };
  clients[name]();
  process.on('disconnect', () => process.exit());
} else {
  void main();
}

async function main() {
  const { createServer, lines } = require('@millrace/server');
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc');
  const rss = () => {
    collect();
    return process.memoryUsage().rss;
  };
  const server = createServer({
    framing: lines(),
    maxConnections: 3_000,
    memory: { maxBytes: 64 * MIB },
    handler: { message: (connection, message) => void connection.send(message) },
  });
  const { port } = await server.listen({ host: '127.0.0.1' });
  const before = rss();
  const counts = { idle: 2_000, 'never-reads': 50, echo: 20, connects: 20 };
  const clients = fork(__filename, [name, String(port), String(counts[name])]);
  const settled = {
    idle: ({ connections }) => connections.open === counts.idle,
    'never-reads': ({ connections }) =>
      connections.open === counts['never-reads'] &&
      server.connections().every(({ bufferedBytes }) => bufferedBytes > 0),
    echo: ({ messages }) => messages.handled > 200_000,
    connects: ({ connections }) => connections.accepted > 3_000,
  };
  while (!settled[name](server.stats())) await wait(5);
  // To where it levels off, then again as much.
  const samples = [];
  const start = server.stats();
  const more = {
    idle: () => samples.length >= 10,
    'never-reads': () => samples.length >= 30,
    echo: ({ messages }) => messages.handled > start.messages.handled + 300_000,
    connects: ({ connections }) => connections.accepted > start.connections.accepted + 3_000,
  };
  const after = rss();
  do {
    samples.push(rss());
    await wait(20);
  } while (!more[name](server.stats()));
  const { planBytes } = server.stats().memory;
  const open = server.stats().connections.open;
  clients.disconnect();
  await once(clients, 'exit');
  await server.close({ drainMs: 0 });
  console.log(
    JSON.stringify({ planBytes, growth: after - before, later: Math.max(...samples.slice(-5)) - after, open }),
  );
}
