// node packages/feed/test/soak.mjs [--feeds N] [--deaths N] [--seed N]: what takes too long for the tests. Makes and closes
// feeds (default 1000), of every policy, read here and by workers, closed in every way and under load; afterwards no thread
// and no descriptor may be left, and memory may not have grown with their number. Then workers die (default 100 times) by
// each fate in turn, at random moments under load. Exit code 0 when all of it holds.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Feed } from '@millrace/feed';

const randomOf = createRequire(import.meta.url)('./programs/random.js');
const { values } = parseArgs({
  options: {
    feeds: { type: 'string', default: '1000' },
    deaths: { type: 'string', default: '100' },
    seed: { type: 'string', default: process.env.MILLRACE_SEED ?? String(Date.now() % 2 ** 31) },
  },
});
const seed = Number(values.seed);
const random = randomOf(seed);
const POLICIES = ['block', 'drop-newest', 'drop-oldest', 'conflate', 'sample'];
const FATES = ['exit', 'uncaught', 'throw', 'spin', 'wait', 'native', 'memory'];
const WORKERS_EVERY = 10;
/** What allocators keep differs from time to time; a feed that were left over would be 36 KiB and its messages. */
const MOST_BYTES_EACH = 16_384;
const COLLECTIONS = 20;
const SETTLE_MS = 10_000;

const entries = (folder) => readdirSync(folder).length;
const figures = () => ({
  threads: entries('/proc/self/task'),
  descriptors: entries('/proc/self/fd'),
  resident: process.memoryUsage.rss(),
});

/** A feed with messages in it and perhaps readers at work; closed in the middle of it. */
async function life(index) {
  const overflow = POLICIES[random(POLICIES.length)];
  const feed = new Feed({
    capacity: 64,
    maxMessageBytes: 256,
    overflow,
    key: 'u32',
    blockTimeoutMs: 0,
    sampleEvery: 3,
  });
  const reader = random(4);
  if (index % WORKERS_EVERY === 0) {
    const filename = new URL('./consumers/compiled.js', import.meta.url);
    await feed.consumeWith({ filename, workers: 1 });
  } else if (reader > 0) {
    feed.consume((batch) => {
      batch.bytes(0);
      return reader === 1 ? turn() : undefined;
    });
  }
  const message = Buffer.alloc(1 + random(256));
  for (let i = random(300); i > 0; i--) {
    feed.push(message, random(100));
    if (random(64) === 0) await turn();
  }
  const end = random(3);
  if (end === 0) feed.detach();
  else await feed.close(end === 1 ? { timeoutMs: 0 } : undefined);
  const { offered, delivered, failed, conflated, dropped, inFlight } = feed.stats();
  const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  if (offered !== delivered + failed + conflated + refused + inFlight) throw new Error(`feed ${index}: counts differ`);
}

async function settled(before) {
  const until = performance.now() + SETTLE_MS;
  // What a collection finds is finalized in the turns after it.
  for (let i = 0; i < COLLECTIONS; i++) {
    globalThis.gc();
    await turn();
  }
  for (;;) {
    const after = figures();
    const same = after.threads <= before.threads && after.descriptors <= before.descriptors;
    if (same || performance.now() > until) return after;
    await turn();
  }
}

async function manyLives(count) {
  await life(0);
  const first = figures();
  // As many again come first: it takes hundreds until the allocators have what they keep.
  for (let i = 0; i < count; i++) await life(i);
  const before = await settled(first);
  for (let i = 0; i < count; i++) await life(i);
  const after = await settled(before);
  const each = (after.resident - before.resident) / count;
  console.log(
    `${count} feeds: ${after.threads - before.threads} threads and ${after.descriptors - before.descriptors} descriptors ` +
      `more than before, ${Math.round(each)} bytes a feed`,
  );
  return after.threads <= before.threads && after.descriptors <= before.descriptors && each <= MOST_BYTES_EACH;
}

function healing(fate, deaths) {
  const program = path.join(import.meta.dirname, 'programs', 'heal.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, seed, deaths, ...fate].map(String), {
    encoding: 'utf8',
    timeout: 600_000,
  });
  console.log(`${fate.join(', ')}: ${status === 0 ? stdout.trim() : `FAILED\n${stdout}${stderr}`}`);
  return status === 0;
}

if (globalThis.gc === undefined) {
  // Figures of memory mean something only after a collection.
  const { status } = spawnSync(process.execPath, ['--expose-gc', ...process.argv.slice(1)], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
console.log(`seed ${seed}`);
let holds = await manyLives(Number(values.feeds));
const deaths = Number(values.deaths);
if (deaths > 0) for (const fate of [...FATES.map((one) => [one]), FATES]) holds = healing(fate, deaths) && holds;
console.log(holds ? 'holds' : 'does not hold');
process.exitCode = holds ? 0 : 1;
