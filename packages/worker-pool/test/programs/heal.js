// heal.js SEED DEATHS WORKERS FATE…: tasks in random batches, some of which end their worker, until so many have. Checks
// that each task was begun exactly once and settled as it should, and prints what it counted.
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const { WorkerPool } = require('@millrace/worker-pool');
const randomFrom = require('./random.js');

const [seed, deaths, workers] = process.argv.slice(2, 5).map(Number);
const fates = process.argv.slice(5);
const random = randomFrom(seed);
const integer = (below) => Math.floor(random() * below);
const MOST_TASKS = 200_000;
const IN_FLIGHT = 300;
const codes = { exit: 'ERR_TASK_WORKER_EXIT', uncaught: 'ERR_TASK_WORKER_EXIT', memory: 'ERR_TASK_WORKER_EXIT' };

const begun = new Int32Array(new SharedArrayBuffer(MOST_TASKS * 4));
const order = new Int32Array(new SharedArrayBuffer((MOST_TASKS + 1) * 4));
const pool = new WorkerPool({
  filename: path.join(__dirname, '..', 'tasks', 'tasks.mjs'),
  workers,
  workerData: { begun, order },
  warnAfterMs: 50,
  // A heap that fills up takes its time before it is full.
  stuckAfterMs: fates.includes('memory') ? 400 : 150,
  resourceLimits: { maxOldGenerationSizeMb: 16 },
});
let replaced = 0;
pool.on('replaced', () => replaced++);

let next = 0;
let fated = 0;
let inFlight = 0;

function runOne() {
  const id = next++;
  inFlight++;
  if (fated < deaths && random() < 0.004) {
    fated++;
    const how = fates[integer(fates.length)];
    return pool.run({ id, how }, { name: 'fate' }).then(
      () => assert.fail(`task ${id} (${how}) came through`),
      (error) => {
        inFlight--;
        const expected = codes[how] ?? 'ERR_TASK_STUCK';
        // A heap may also fill up so slowly that it counts as stuck.
        if (how !== 'memory' || error.code !== 'ERR_TASK_STUCK') assert.strictEqual(error.code, expected, error.stack);
      },
    );
  }
  const name = random() < 0.2 ? 'noteLater' : 'note';
  return pool.run(id, { name }).then((result) => {
    inFlight--;
    assert.strictEqual(result, id);
  });
}

async function main() {
  const tasks = [];
  while (fated < deaths || pool.stats().running > 0) {
    if (fated < deaths && next < MOST_TASKS) {
      for (let i = integer(50); i > 0 && inFlight < IN_FLIGHT; i--) tasks.push(runOne());
    }
    await (random() < 0.5 ? null : new Promise(setImmediate));
    await new Promise(setImmediate);
  }
  await Promise.all(tasks);
  const { completed, failed, rejected, queued, running } = pool.stats();
  assert.deepStrictEqual(
    { completed, failed, rejected, queued, running },
    { completed: next - fated, failed: fated, rejected: 0, queued: 0, running: 0 },
  );
  const counts = begun.subarray(0, next);
  const begins = order.subarray(1, 1 + order[0]);
  console.log(
    JSON.stringify({
      tasks: next,
      deaths: fated,
      replaced,
      twice: counts.filter((count) => count > 1).length,
      missing: counts.filter((count) => count === 0).length,
      outOfOrder: begins.filter((id, i) => i > 0 && id < begins[i - 1]).length,
    }),
  );
  await pool.close();
}

main().catch((error) => {
  console.error(`seed ${seed}: ${error.stack}`);
  process.exit(1);
});
