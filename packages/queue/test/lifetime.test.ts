import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What a program prints that has a queue; the process ends by itself when nothing keeps it alive. */
async function run(program: string): Promise<string> {
  const queue = `new MpmcQueue({ capacity: 8, messageBytes: 8 })`;
  const head = `const { MpmcQueue } = require(${JSON.stringify(require.resolve('@millrace/queue'))}); const queue = ${queue};`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', head + program], { timeout: 60_000 });
  return stdout.trim();
}

// Fires only in a process that something else keeps alive.
const later = `setTimeout(() => { console.log('alive'); queue.close(); }, 300).unref();`;
const fill = `while (queue.tryPush(Buffer.of(1)));`;

test.each([
  ['a queue alone does not', later, ''],
  ['a pending pop does', `void queue.pop(); ${later}`, 'alive'],
  ['a pending push does', `${fill} void queue.push(Buffer.of(1)).catch(() => 0); ${later}`, 'alive'],
  ['a pop of an unref()ed queue does not', `queue.unref(); void queue.pop(); ${later}`, ''],
  ['unref() and ref() change it meanwhile', `void queue.pop(); queue.unref().ref(); ${later}`, 'alive'],
  ['unref() meanwhile', `void queue.pop(); queue.unref(); ${later}`, ''],
  ['a pop that was served does not', `void queue.pop(); queue.tryPush(Buffer.of(1)); ${later}`, ''],
  [
    'a pop that timed out does not',
    `queue.pop({ timeoutMs: 1 }).catch((e) => { console.log(e.code); ${later} });`,
    'ERR_QUEUE_TIMEOUT',
  ],
  ['a handle that was detached does not', `void queue.pop().catch(() => 0); queue.detach(); ${later}`, ''],
])('keeping the process alive: %s', async (_what, program, printed) => {
  expect(await run(program)).toBe(printed);
});

test('a queue that is not used any more goes with its object; one that was shared stays', async () => {
  const program = `
    const { setTimeout: sleep } = require('node:timers/promises');
    const memory = () => Number(require('node:fs').readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * 4096;
    const token = (() => { const shared = new MpmcQueue({ capacity: 8, messageBytes: 8 }); shared.tryPush(Buffer.of(1)); return shared.share(); })();
    (async () => {
      const before = memory();
      for (let i = 0; i < 200; i++) {
        new MpmcQueue({ capacity: 1024, messageBytes: 65_536 });
        if (i % 20 === 0) { gc(); await sleep(1); }
      }
      for (let i = 0; i < 50 && memory() - before > 50 * 2 ** 26; i++) { gc(); await sleep(1); }
      console.log(memory() - before <= 50 * 2 ** 26, MpmcQueue.attach(token).size);
    })();`;
  expect(
    await run(
      `require('node:v8').setFlagsFromString('--expose-gc'); globalThis.gc = require('node:vm').runInNewContext('gc'); ${program}`,
    ),
  ).toBe('true 1');
});
