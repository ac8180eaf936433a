// soak.js [POOLS=1000] [HEALS=0]: makes pools, uses each, ends it in one of the ways there are, and then looks whether
// descriptors, threads or memory have stayed. With HEALS, heal.js afterwards, so many times over. By hand:
// npm run soak -w @millrace/worker-pool
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { WorkerPool } = require('@millrace/worker-pool');

const pools = Number(process.argv[2] ?? 1000);
const heals = Number(process.argv[3] ?? (process.argv[2] === undefined ? 100 : 0));
const filename = path.join(__dirname, '..', 'tasks', 'tasks.mjs');
const count = (what) => readdirSync(`/proc/self/${what}`).length;
const settled = (promise) => promise.catch((error) => error.code);

const ways = [
  async (pool) => {
    assert.deepStrictEqual(await pool.runMany([1, 'two', { three: 3 }]), [1, 'two', { three: 3 }]);
    await pool.close();
  },
  async (pool) => {
    const tasks = Array.from({ length: 50 }, (_, i) => settled(pool.run(i)));
    await pool.close({ timeoutMs: 0 });
    await Promise.all(tasks);
  },
  async (pool) => {
    const tasks = Array.from({ length: 50 }, (_, i) => pool.run(i));
    await pool.close();
    await Promise.all(tasks);
  },
  (pool) => pool.close(),
  async (pool) => {
    await settled(pool.run(0, { name: 'fail' }));
    await pool.close();
  },
];

async function one(i) {
  await ways[i % ways.length](new WorkerPool({ filename, workers: 1 + (i % 2), spares: i % 3 === 0 ? 1 : 0 }));
}

async function main() {
  // What is made once, and what the threads of libuv and V8 need.
  for (let i = 0; i < ways.length * 2; i++) await one(i);
  const before = { descriptors: count('fd'), threads: count('task'), rss: process.memoryUsage.rss() };
  for (let i = 0; i < pools; i++) await one(i);
  // A thread's exit is told a moment before the system has forgotten it, and a hurried close does not wait for it.
  const left = () => count('task') > before.threads || count('fd') > before.descriptors;
  for (let i = 0; i < 500 && left(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  const result = {
    pools,
    descriptors: count('fd') - before.descriptors,
    threads: Math.max(0, count('task') - before.threads),
    grownKibPerPool: Math.round((process.memoryUsage.rss() - before.rss) / 1024 / pools),
  };
  if (heals > 0) {
    const heal = [path.join(__dirname, 'heal.js'), String(Date.now() % 1e6), String(heals), '2'];
    const fates = ['exit', 'uncaught', 'spin', 'wait', 'native', 'memory'];
    result.heal = JSON.parse(execFileSync(process.execPath, [...heal, ...fates], { encoding: 'utf8' }));
  }
  console.log(JSON.stringify(result));
}

void main();
