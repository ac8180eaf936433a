import { runModule } from './run-module';

// The output stays open, and the test waits, until the grandchild has ended too.
const withGrandchild = (limitMinutes: number): string => `
  import { run } from '../run.mjs';
  const { code } = await run('sh', ['-c', 'sleep 10000 & echo ready; wait'], { limitMinutes: ${limitMinutes} });
  console.log('code ' + code);`;

test('a command that outlives its limit is killed with its children', async () => {
  const { code, stdout } = await runModule(withGrandchild(0.01));
  expect(stdout).toContain('code 124');
  expect(code).toBe(0);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s ends the command and its children', async (name) => {
  const outcome = await runModule(withGrandchild(10), (output, kill) => {
    if (output.includes('ready')) kill(name);
  });
  expect(outcome).toEqual({ code: null, signal: name, stdout: 'ready\n' });
});

test('a command that is not there gives code 127', async () => {
  const source = `
    import { run } from '../run.mjs';
    console.log((await run('millrace-no-such-command', [], { limitMinutes: 1 })).code);`;
  expect((await runModule(source)).stdout).toBe('127\n');
});

test('the exit code of a command that ends in time is passed on', async () => {
  const source = `
    import { run } from '../run.mjs';
    console.log(JSON.stringify(await run('sh', ['-c', 'echo out; exit 3'], { capture: true, limitMinutes: 1 })));`;
  expect(JSON.parse((await runModule(source)).stdout)).toEqual({ code: 3, output: 'out\n' });
});
