'use strict';
// node main-exits.js HOW SEED: the process ends at a random moment under full load. Prints how many messages
// had been received and not handled then.
// HOW: handler (process.exit() in a handler of this thread), main (process.exit() while workers and native
// threads are busy), throw (an uncaught error, workers busy), throw-here (the same with handlers on this thread).
const { writeSync } = require('node:fs');
const { join } = require('node:path');
const { createServer, lines } = require('@millrace/server');
const { Load, random } = require('./load.js');

const [how, seed] = [process.argv[2], Number(process.argv[3])];
const pick = random(seed);
const EXIT_CODE = 7;
const onThisThread = how === 'handler' || how === 'throw-here';

let server;
const tell = () => writeSync(1, JSON.stringify({ inFlight: server.stats().messages.inFlight }));
const fail = () => {
  throw new Error('nobody catches this');
};

let left = 20 + pick(400);
const handler = {
  message(connection, message) {
    connection.send(message);
    if (--left !== 0) return;
    tell();
    if (how === 'handler') process.exit(EXIT_CODE);
    process.nextTick(fail);
  },
};

async function main() {
  server = createServer({
    framing: lines(),
    handler: onThisThread ? handler : join(__dirname, '../handlers/busy-echo.js'),
    workers: onThisThread ? 0 : 1,
  });
  const { port } = await server.listen({ host: '127.0.0.1' });
  const load = new Load(port, { clients: 8, depth: 256 });
  if (onThisThread) return;
  await load.after(left);
  tell();
  if (how === 'main') process.exit(EXIT_CODE);
  setImmediate(fail);
}

void main();
