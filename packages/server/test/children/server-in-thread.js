'use strict';
// node server-in-thread.js ROUNDS SEED: a server in a worker thread that is terminated, or ends by
// process.exit(), at a random moment under full load. Its port must refuse afterwards.
const net = require('node:net');
const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const { Load, holdings, random } = require('./load.js');

if (!isMainThread) {
  const { createServer, lines } = require('@millrace/server');
  const handler = {
    message(connection, message) {
      connection.send(message);
    },
  };
  const server = createServer({ framing: lines(), handler });
  parentPort.once('message', () => process.exit(0));
  void server.listen({ host: '127.0.0.1' }).then(({ port }) => parentPort.postMessage(port));
} else {
  void main();
}

const refuses = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', (error) => resolve(error.code === 'ECONNREFUSED'));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });

async function main() {
  const [rounds, seed] = [Number(process.argv[2]), Number(process.argv[3])];
  const pick = random(seed);
  const report = { rounds: 0, refused: 0, wrong: [], waiting: 0 };
  let before;
  for (; report.rounds < rounds; report.rounds++) {
    if (report.rounds === 2) before = holdings();
    const worker = new Worker(__filename);
    const [port] = await once(worker, 'message');
    const load = new Load(port, { clients: 4, depth: 128 });
    await load.after(100 + pick(1_500));
    report.waiting += load.clients.some(({ waiting }) => waiting > 0) ? 1 : 0;
    const stopped = load.stop();
    if (report.rounds % 2 === 0) {
      await worker.terminate();
    } else {
      worker.postMessage('exit');
      await once(worker, 'exit');
    }
    if (await refuses(port)) report.refused++;
    await stopped;
    report.wrong.push(...load.wrong);
  }
  console.log(JSON.stringify({ ...report, before, after: holdings() }));
}
