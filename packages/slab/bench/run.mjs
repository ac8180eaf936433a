// npm run bench -- slab: the C++ core beside jemalloc, mimalloc and glibc; blocks from JavaScript beside Buffers.

import { fileURLToPath } from 'node:url';
import { bench } from '../../../scripts/bench/bench.mjs';
import { childSampler } from '../../../scripts/bench/child.mjs';
import { betterOf, renderComparison } from '../../../scripts/bench/comparison.mjs';
import { debianPeer, debianVersion } from '../../../scripts/bench/debian.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import { handleContenders, manyContenders } from './handles.mjs';

const PACKAGES = { jemalloc: 'libjemalloc2', mimalloc: 'libmimalloc2.0' };
const resident = (kind) => ({
  name: `resident/${kind}`,
  sample: childSampler(fileURLToPath(new URL('./resident.mjs', import.meta.url)), [kind], { flags: ['--expose-gc'] }),
});

await bench(import.meta.url, 'slab', async (context) => {
  const core = await nativeSamples('slab_allocator', context, {
    filter: '(pair/(256|1024)|cross/1024)/',
    minTime: context.quick ? 0.01 : 0.05,
  });
  const days = new Map();
  for (const name of ['slab', 'jemalloc']) {
    const options = { filter: `day/${name}`, value: 'committed' };
    for (const [key, samples] of await nativeSamples('slab_allocator', context, options)) days.set(key, samples);
  }
  const contenders = [
    ...[1024, 65_536].flatMap(handleContenders),
    ...manyContenders(1024),
    resident('slab'),
    resident('buffer'),
  ];
  const script = await measureRounds(contenders, context);
  const versions = Object.values(PACKAGES).map((name) => `${name} ${debianVersion(name) ?? 'missing'}`);
  return { versions, sections: [coreSection(core, days), scriptSection(script)] };
});

function coreSection(core, days) {
  const peer = (row, name) => debianPeer(name, PACKAGES[name] ?? 'libc6', core.get(`${row}/${name}`));
  const row = (what, key, ours, goal) => ({ what, ours: core.get(`${key}/slab`), peer: ours, goal });
  const rows = [];
  for (const bytes of [256, 1024]) {
    const key = `pair/${bytes}`;
    const best = betterOf([peer(key, 'jemalloc'), peer(key, 'mimalloc')]);
    rows.push(row(`free and allocate, ${bytes} bytes`, key, best, { atMost: 0.6 }));
    rows.push(row(`free and allocate, ${bytes} bytes`, key, peer(key, 'glibc'), { atMost: 0.6 }));
  }
  for (const [name, atMost] of [['jemalloc', 0.6], ['mimalloc', 1], ['glibc']]) {
    const goal = atMost === undefined ? undefined : { atMost };
    rows.push(row('freed by another thread, 1,024 bytes', 'cross/1024', peer('cross/1024', name), goal));
  }
  const [ours, theirs] = [days.get('day/slab'), days.get('day/jemalloc')];
  const what = 'most resident ÷ most live, in a day of changing sizes';
  rows.push({ what, ours, unit: '×', goal: { atMost: 1.25 } });
  rows.push({ what, ours, unit: '×', peer: debianPeer('jemalloc', PACKAGES.jemalloc, theirs) });
  return `**C++**, 64 blocks live.\n\n${renderComparison(rows)}`;
}

function scriptSection(samples) {
  const rows = [];
  const row = (what, ours, name, key, goal) =>
    rows.push({ what, ours: samples.get(ours), peer: { name, samples: samples.get(key) }, goal });
  for (const [bytes, unsafe, zeroed] of [
    [1024, 5, 10],
    [65_536, 12, 100],
  ]) {
    const text = `${bytes / 1024} KiB`;
    row(text, `blocks/${bytes}`, 'Buffer.allocUnsafe', `allocUnsafe/${bytes}`, { atLeast: unsafe });
    row(text, `blocks/${bytes}`, 'Buffer.allocUnsafeSlow', `allocUnsafeSlow/${bytes}`, { atLeast: unsafe });
    row(text, `blocks/${bytes}`, 'Buffer.alloc', `alloc/${bytes}`, { atLeast: zeroed });
    row(`${text}, filled with zeroes`, `zeroedBlocks/${bytes}`, 'Buffer.alloc', `alloc/${bytes}`);
  }
  for (const call of ['allocateMany', 'freeMany']) {
    rows.push({ what: `${call}: one of 1,000`, ours: samples.get(`${call}/1024`), goal: { atMost: 10 } });
  }
  const mebibytes = (kind) => samples.get(`resident/${kind}`).map((bytes) => bytes / 2 ** 20);
  rows.push({
    what: 'resident, 200,000 live of 64 bytes',
    ours: mebibytes('slab'),
    peer: { name: 'Buffer.alloc', samples: mebibytes('buffer') },
    unit: 'MiB',
    goal: { atMost: 0.3 },
  });
  return `**JavaScript**: one freed and one allocated, 64 live.\n\n${renderComparison(rows)}`;
}
