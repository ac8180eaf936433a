// heal.js SEED DEATHS FATE…: workers die in the middle of batches until so many have died; then every message must have
// been begun exactly once, each key in order, and the counts must agree with the ledger.
'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { setImmediate: turn } = require('node:timers/promises');
const { Feed } = require('@millrace/feed');

const [seed, deaths] = process.argv.slice(2, 4).map(Number);
const fates = process.argv.slice(4);
const MESSAGES = 400_000;
const KEYS = 16;

const shared = (length) => new Int32Array(new SharedArrayBuffer(length * 4));
const ledger = { begun: shared(MESSAGES), last: shared(KEYS).fill(-1), counts: shared(5) };
const feed = new Feed({ capacity: 512, maxMessageBytes: 4, overflow: 'block', key: 'u32' });
const events = { replaced: 0, stuck: 0 };
feed.on('replaced', () => events.replaced++);
feed.on('stuck', () => events.stuck++);
feed.on('error', () => {}); // of batches that throw

async function main() {
  const workers = await feed.consumeWith({
    filename: path.join(__dirname, '../consumers/ledger.js'),
    workers: 2,
    stuckAfterMs: 150,
    warnAfterMs: 50,
    resourceLimits: { maxOldGenerationSizeMb: 16 },
    workerData: { ...ledger, fates, seed, oneIn: 1000 },
  });
  const message = Buffer.alloc(4);
  let sent = 0;
  for (; sent < MESSAGES && Atomics.load(ledger.counts, 1) < deaths; sent++) {
    message.writeUInt32LE(sent);
    feed.push(message, (sent * 7) % KEYS);
    if (sent % 4096 === 0) await turn();
  }
  await feed.drain();
  const { delivered, failed, offered } = feed.stats();
  await workers[Symbol.asyncDispose]();
  await feed.close();
  const begun = ledger.begun.reduce((sum, times) => sum + times, 0);
  const twice = ledger.begun.filter((times) => times > 1).length;
  const [outOfOrder, died, , thrown, unbegun] = ledger.counts;
  console.log(JSON.stringify({ sent, died, twice, outOfOrder, failed, thrown, ...events }));
  assert.strictEqual(offered, sent);
  assert.strictEqual(delivered + failed, sent);
  assert.strictEqual(begun + unbegun, sent);
  assert.strictEqual(twice, 0);
  assert.strictEqual(outOfOrder, 0);
  assert.ok(died >= deaths, `only ${died} died`);
  // The last ones may not have been replaced yet; on a busy machine a healthy worker may be taken for stuck.
  const lost = died - thrown;
  assert.ok(events.replaced >= lost - 2, `only ${events.replaced} of ${lost} were replaced`);
}

void main();
