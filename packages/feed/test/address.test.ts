import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Feed } from '@millrace/feed';
import { includeDir } from '@millrace/native';
import { imbalance } from './balance';

interface Producer {
  start(address: bigint, messages: number, key: number): void;
  join(): void;
}

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-feed-'));
const addon = path.join(folder, 'producer.node');
let producer: Producer;

beforeAll(() => {
  const nodeApi = path.dirname(require.resolve('node-api-headers', { paths: [includeDir] }));
  const source = path.join(__dirname, 'programs', 'native-producer.cc');
  const flags = ['-std=c++20', '-O1', '-shared', '-fPIC', '-pthread', '-Wl,-z,nodelete', '-Wall', '-Wextra', '-Werror'];
  const include = [`-I${includeDir}`, `-I${path.join(nodeApi, 'include')}`];
  execFileSync('c++', [...flags, ...include, source, '-o', addon], { stdio: 'inherit' });
  producer = createRequire(__filename)(addon) as Producer;
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe('native threads (hazard 8)', () => {
  test('push through the address', async () => {
    const feed = new Feed({ capacity: 256, maxMessageBytes: 8, overflow: 'block', key: 'u64' });
    const next = new Map<bigint, number>();
    let wrong = 0;
    feed.consume((batch) => {
      for (let i = 0; i < batch.length; i++) {
        const number = batch.view.getUint32(batch.offset(i), true);
        if (number !== (next.get(batch.key(i)) ?? 0)) wrong++;
        next.set(batch.key(i), number + 1);
      }
    });
    for (const key of [1, 2, 3]) producer.start(feed.address, 20_000, key);
    while (feed.stats().offered < 60_000) await new Promise(setImmediate);
    producer.join();
    await feed.close();
    expect(wrong).toBe(0);
    expect([...next.values()]).toEqual([20_000, 20_000, 20_000]);
  });

  test('are told that the feed is closed, also when it is gone', async () => {
    const feed = new Feed({ capacity: 16, maxMessageBytes: 8, overflow: 'drop-oldest', key: 'u64' });
    producer.start(feed.address, 2 ** 32 - 1, 1);
    while (feed.stats().offered < 1000) await new Promise(setImmediate);
    await feed.close();
    producer.join();
    expect(feed.stats().inFlight).toBe(0);
    expect(imbalance(feed.stats())).toBe(0);
  });

  test('hazard 2: outlive the worker that alone had loaded the addon', async () => {
    const program = `
      const { Feed } = require(${JSON.stringify(require.resolve('@millrace/feed'))});
      const feed = new Feed({ capacity: 16, maxMessageBytes: 8, overflow: 'drop-oldest', key: 'u64' });
      require(${JSON.stringify(addon)}).start(feed.address, 2 ** 32 - 1, 1);
      const wait = () => feed.stats().offered < 1000 ? setImmediate(wait) : process.exit();
      wait();`;
    const child = `new (require('node:worker_threads').Worker)(${JSON.stringify(program)}, { eval: true })
      .once('exit', () => setTimeout(() => require(${JSON.stringify(addon)}).join(), 10));`;
    // The feed has ended with the worker, and the thread with the feed: join() returns, and nothing has crashed.
    await promisify(execFile)(process.execPath, ['-e', child], { timeout: 60_000 });
  }, 60_000);

  test('that wait for room are let go when the feed is closed', async () => {
    const feed = new Feed({ capacity: 1, maxMessageBytes: 8, overflow: 'block', key: 'u64' });
    producer.start(feed.address, 100, 1);
    while (feed.stats().offered < 1) await new Promise(setImmediate);
    await feed.close();
    producer.join();
    expect(imbalance(feed.stats())).toBe(0);
  });
});
