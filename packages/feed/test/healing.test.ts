import { runProgram, seed } from './run-program';

// Each message is begun exactly once, each key stays in order, every worker that was lost is replaced, and the counts
// agree with what the workers wrote down: the program checks that itself.
test.each([
  ['uncaught errors', 30, ['uncaught']],
  ['endless loops', 10, ['spin']],
  ['Atomics.wait', 10, ['wait']],
  ['native calls that do not return (hazard 20)', 6, ['native']],
  ['heaps that are full (hazard 21)', 6, ['memory']],
  ['all of these', 20, ['exit', 'uncaught', 'spin', 'wait', 'native', 'memory']],
])(
  'workers are replaced after %s',
  async (_what, deaths, fates) => {
    const result = await runProgram('heal.js', seed, deaths, ...fates);
    expect(result).toMatchObject({ twice: 0, outOfOrder: 0 });
  },
  300_000,
);
