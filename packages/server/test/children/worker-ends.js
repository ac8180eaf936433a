'use strict';
// node worker-ends.js HOW ROUNDS SEED: worker threads of a server under full load end, again and again.
// HOW: terminate (from outside, at a random moment), exit (process.exit() in a handler).
const workerThreads = require('node:worker_threads');
const { join } = require('node:path');
const { once } = require('node:events');

// The server's own threads, to terminate them as nothing in its API does.
const started = [];
workerThreads.Worker = class extends workerThreads.Worker {
  constructor(...args) {
    super(...args);
    started.push(this);
  }
};

const { createServer, lines } = require('@millrace/server');
const { holdings, Load, random } = require('./load.js');

const [how, rounds, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const pick = random(seed);
const WORKERS = 2;
/** A worker that dies more often than ten times within ten seconds is given up. */
const ENDS_A_SERVER = 10;

const report = {
  seed,
  ends: 0,
  caught: 0,
  wrong: [],
  lost: 0,
  reopened: 0,
  failed: 0,
  closed: {},
  unbalanced: 0,
  reasons: [],
};

async function serve(count) {
  const marks = new Int32Array(new SharedArrayBuffer(4 * (WORKERS + 2)));
  const server = createServer({
    handler: join(__dirname, '../handlers/busy-echo.js'),
    workers: WORKERS,
    workerData: { marks },
    framing: lines(),
    stuckAfterMs: 0,
  });
  started.length = 0;
  const { port } = await server.listen({ host: '127.0.0.1' });
  const load = new Load(port, { clients: 8, depth: 64 });
  for (let i = 0; i < count; i++) {
    await load.after(30 + pick(250));
    const replaced = once(server, 'replaced');
    if (how === 'terminate') {
      const alive = started.filter(({ threadId }) => threadId !== -1);
      await alive[pick(alive.length)].terminate();
    } else {
      load.clients[pick(load.clients.length)].say('exit');
    }
    const [{ reason }] = await replaced;
    report.ends++;
    report.reasons.push(reason);
    const { received, handled, failed, dropped, inFlight } = server.stats().messages;
    if (received !== handled + failed + dropped.ended + inFlight) report.unbalanced++;
  }
  await load.stop();
  const { messages, connections } = server.stats();
  report.wrong.push(...load.wrong);
  report.lost += load.lost;
  report.failed += messages.failed;
  report.caught += marks[WORKERS];
  report.reopened += marks[WORKERS + 1];
  for (const [reason, count] of Object.entries(connections.closed))
    report.closed[reason] = (report.closed[reason] ?? 0) + count;
  await server.close();
  const after = server.stats();
  if (after.connections.open !== 0 || after.messages.inFlight !== 0) report.unbalanced++;
}

async function main() {
  await serve(2);
  const before = holdings();
  for (let left = rounds - 2; left > 0; left -= ENDS_A_SERVER) await serve(Math.min(left, ENDS_A_SERVER));
  report.before = before;
  report.after = holdings();
  report.reasons = [...new Set(report.reasons)];
  console.log(JSON.stringify(report));
}

void main();
