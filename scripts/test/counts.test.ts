import { runModule } from './run-module';

type Counts = [passed: number, failed: number, skipped: number];

const judged = async ([passed, failed, skipped]: Counts, code: number): Promise<unknown> => {
  const source = `
    import { judged } from '../counts.mjs';
    console.log(JSON.stringify(judged(${JSON.stringify({ passed, failed, skipped })}, ${code})));`;
  return JSON.parse((await runModule(source)).stdout);
};

test('counts are left as they are where the exit code agrees', async () => {
  expect(await judged([5, 0, 1], 0)).toEqual({ passed: 5, failed: 0, skipped: 1 });
  expect(await judged([5, 2, 1], 1)).toEqual({ passed: 5, failed: 2, skipped: 1 });
});

test('a run without a single test is a failure, whatever its exit code', async () => {
  expect(await judged([0, 0, 0], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(await judged([0, 0, 0], 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test('a bad exit code that no test explains is a failure', async () => {
  expect(await judged([5, 0, 0], 1)).toEqual({ passed: 5, failed: 1, skipped: 0 });
});
