import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const examples = path.join(__dirname, '..', 'examples');
const build = path.join(__dirname, '..', '..', '..', 'native', 'bin', 'millrace-native.js');

test('the example with a vendor’s library accounts for every message', async () => {
  const folder = path.join(examples, 'vendor');
  await run(process.execPath, [build, 'build', folder]);
  // It compares the workers' own count with the feed's, and fails if they differ.
  const { stdout } = await run(process.execPath, [path.join(folder, 'main.mjs'), '--seconds', '1', '--workers', '1']);
  const [, offered] = /^offered (\d+) = handled/m.exec(stdout) ?? [];
  expect(Number(offered)).toBeGreaterThan(0);
}, 60_000);

test('gaps in numbered messages are counted', async () => {
  const module = JSON.stringify(path.join(examples, 'zeromq', 'sequence.mjs'));
  const program = `
    import { Sequence } from ${module};
    const sequence = new Sequence();
    for (const number of [5, 6, 7, 10, 11, 20]) sequence.next(number);
    console.log(JSON.stringify({ ...sequence }));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  expect(JSON.parse(stdout)).toEqual({ missing: 10, gaps: 2 });
});
