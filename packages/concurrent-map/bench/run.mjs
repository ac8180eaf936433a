// The map beside other maps, in C++ and in JavaScript: npm run bench -- concurrent-map --help.
import { bench } from '../../../scripts/bench/bench.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { debianPeer, debianVersion } from '../../../scripts/bench/debian.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import { readers } from './readers.mjs';

const usage = `
What is measured beside what it needs:
  oneTBB            sudo apt-get install libtbb-dev
  concurrent_flat_map   headers of Boost 1.83 or later, found by the compiler: CPLUS_INCLUDE_PATH=FOLDER`;

async function nativeSection({ rounds, quick, say }) {
  const samples = await nativeSamples('concurrent_map', { rounds, say }, { minTime: quick ? 0.02 : 0.2 });
  const ours = samples.get('mixed/ours');
  const flatMap = samples.get('mixed/flat_map');
  const missing = 'headers of Boost 1.83 in CPLUS_INCLUDE_PATH';
  const rows = [
    {
      what: 'nine reads to a write',
      ours,
      peer: debianPeer('oneTBB concurrent_hash_map', 'libtbb-dev', samples.get('mixed/tbb')),
      goal: { atMost: 0.35 },
    },
    {
      what: 'the same',
      ours,
      peer: { name: 'boost concurrent_flat_map', ...(flatMap ? { samples: flatMap } : { missing }) },
      goal: { atMost: 0.75 },
    },
    {
      what: 'the same',
      ours,
      peer: { name: 'unordered_map, shared_mutex', samples: samples.get('mixed/shared_mutex') },
    },
    { what: 'a key of read_many()', ours: samples.get('read_many') },
  ];
  return `C++: a million random u64 keys, two threads.\n\n${renderComparison(rows)}`;
}

async function scriptSection(context) {
  const samples = await measureRounds(readers(context), context);
  const peer = (name) => ({ name, samples: samples.get(name) });
  const row = (what, name, other, goal) => ({
    what,
    ours: samples.get(name),
    peer: peer(other),
    ...(goal && { goal }),
  });
  const rows = [
    row('a key of getMany()', 'getMany', 'nested Map', { atLeast: 1.4 }),
    row('a key of getMany()', 'getMany', 'string Map'),
    row('get(number)', 'get, number', 'nested Map'),
    row('get(number)', 'get, number', 'string Map'),
    row('get(bigint)', 'get, bigint', 'bigint Map'),
  ];
  return (
    'JavaScript: a million u64 keys (1,000 high words by 1,000 low words), read in random order; values are numbers. ' +
    `The nested Map is of Maps by the high word, the string Map is keyed by \`high:low\`.\n\n${renderComparison(rows)}`
  );
}

await bench(
  import.meta.url,
  'concurrent-map',
  async (context) => {
    const sections = [await nativeSection(context), await scriptSection(context)];
    const tbb = debianVersion('libtbb-dev');
    return { sections, versions: tbb === undefined ? [] : [`oneTBB ${tbb}`] };
  },
  { usage },
);
