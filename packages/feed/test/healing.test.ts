import { runProgram, seed } from './run-program';

// Each message is begun exactly once, each key stays in order, every worker that was lost is replaced, and the counts
// agree with what the workers wrote down: the program checks that itself.
test.each([
  ['uncaught errors', 30, ['uncaught']],
  ['errors thrown in a batch', 20, ['throw']],
  ['endless loops', 10, ['spin']],
  ['Atomics.wait', 10, ['wait']],
  ['native calls that do not return (hazard 20)', 6, ['native']],
  ['heaps that are full (hazard 21)', 6, ['memory']],
  ['all of these', 20, ['exit', 'uncaught', 'throw', 'spin', 'wait', 'native', 'memory']],
])(
  'messages are handled once and in order, and workers replaced, after %s',
  async (_what, deaths, fates) => {
    const result = await runProgram('heal.js', seed, deaths, ...fates);
    expect(result).toMatchObject({ twice: 0, outOfOrder: 0 });
  },
  300_000,
);
