// npm run bench -- object-pool
import { debianPeer, debianVersion } from '../../../scripts/bench/debian.mjs';
import { bench } from '../../../scripts/bench/bench.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';
import { javascriptContenders } from './contenders.mjs';

/** Debian's default, and the one that other benchmarks ask for. */
const DEBIAN = ['libboost-dev', 'libboost1.81-dev'];

await bench(import.meta.url, 'object-pool', async (context) => {
  const native = await nativeSamples('object_pool', context);
  const peer = (what, name) => debianPeer(name, DEBIAN[0], native.get(`${what}/${name}`));
  const row = (text, what, name, goal) => ({
    what: text,
    ours: native.get(`${what}/object_pool`),
    peer: name && peer(what, name),
    goal,
  });
  const mutex = 'boost::pool+mutex';
  const cpp = [
    row('one thread: release and acquire', 'pair', undefined, { atMost: 5 }),
    row('', 'pair', mutex),
    row('', 'pair', 'boost::pool'),
    row('two threads at once, each release and acquire', 'both', mutex, { atMost: 0.2 }),
    row('acquired by one thread, released by another', 'cross', mutex, { atMost: 0.2 }),
  ];

  const samples = await measureRounds(javascriptContenders(), context);
  const javascript = [
    ['acquire, write two fields, release', 'view', { name: 'new object', samples: samples.get('new object') }],
    ['', 'view', { name: 'array of objects', samples: samples.get('array of objects') }],
    [
      'acquireIndex, write two columns, releaseIndex',
      'index',
      { name: 'new object', samples: samples.get('new object') },
    ],
    [
      'plain pool: acquire, write, release',
      'plain',
      { name: 'array of objects', samples: samples.get('array of objects') },
    ],
    ['write and read a field of a view', 'field', { name: 'of an object', samples: samples.get('of an object') }],
    ['write and read a column', 'column', { name: 'Float64Array', samples: samples.get('Float64Array') }],
  ].map(([what, name, other]) => ({ what, ours: samples.get(name), peer: other }));

  return {
    versions: [`boost ${DEBIAN.map(debianVersion).find((version) => version !== undefined) ?? 'not installed'}`],
    sections: [
      `C++, records of 128 bytes; threads pinned to two processors:\n\n${renderComparison(cpp)}`,
      `JavaScript, records of 40 bytes:\n\n${renderComparison(javascript)}`,
    ],
  };
});
