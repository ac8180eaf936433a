import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** What a program prints that makes a feed; the process ends by itself when nothing keeps it alive. */
async function run(program: string): Promise<string> {
  const feed = `new Feed({ capacity: 8, maxMessageBytes: 8, overflow: 'drop-newest' })`;
  const head = `const { Feed } = require(${JSON.stringify(require.resolve('@millrace/feed'))}); const feed = ${feed};`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', head + program], { timeout: 60_000 });
  return stdout.trim();
}

// Fires only in a process that something else keeps alive.
const later = `setTimeout(() => { console.log('alive'); void feed.close(); }, 20).unref();`;
const compiled = JSON.stringify(path.join(__dirname, 'consumers', 'compiled.js'));
const started = `feed.consumeWith({ filename: ${compiled}, workers: 1 })`;

test.each([
  ['a feed alone does not', later, ''],
  ['a listener for slow pushes does not', `feed.on('slowPush', () => {}); ${later}`, ''],
  ['a consumer does', `feed.consume(() => {}); ${later}`, 'alive'],
  ['a consumer of an unref()ed feed does not', `feed.unref().consume(() => {}); ${later}`, ''],
  ['unref() and ref() change it', `feed.consume(() => {}); feed.unref().ref(); ${later}`, 'alive'],
  ['a consumer that was disposed of does not', `feed.consume(() => {})[Symbol.dispose](); ${later}`, ''],
  ['workers do', `${started}.then(() => { ${later} });`, 'alive'],
  ['workers of an unref()ed feed do not', `${started}.then(() => { feed.unref(); ${later} });`, ''],
  ['a pending drain() does', `feed.push(Buffer.of(1)); void feed.drain(); ${later}`, 'alive'],
])('keeping the process alive: %s', async (_what, program, printed) => {
  expect(await run(program)).toBe(printed);
});
