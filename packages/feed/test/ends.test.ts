import { runMany, runProgram, seed } from './run-program';

// HAZARDS 3 and 27 in numbers: whatever ends a thread or the process, at a random moment and under load, the process
// must not crash or hang, the counts must balance, and most of those that ended must have been in the middle of a batch.

test('hazards 3, 5, 18, 27: a hundred terminated consumers and producers', async () => {
  const policies = ['block', 'drop-newest', 'drop-oldest', 'conflate', 'sample'];
  const results = await runMany(policies.length, (i) => runProgram('terminate-threads.js', policies[i]!, seed + i, 20));
  const caught = results.reduce((sum, result) => sum + result['caught']!, 0);
  expect(caught).toBeGreaterThanOrEqual(50);
}, 400_000);

test('hazards 1, 27: a hundred process exits', async () => {
  const results = await runMany(100, (i) => runProgram('exit-while-busy.js', seed + i));
  const caught = results.filter((result) => result['leased']! > 0).length;
  expect(caught).toBeGreaterThanOrEqual(50);
}, 400_000);

test('hazard 18: a hundred workers that call process.exit in a batch', async () => {
  const result = await runProgram('heal.js', seed, 100, 'exit');
  expect(result['died']).toBeGreaterThanOrEqual(100);
}, 400_000);
