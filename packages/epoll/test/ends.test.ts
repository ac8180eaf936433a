import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = (name: string) => path.join(__dirname, 'programs', name);
const limit = { timeout: 60_000 };

test('what a callback throws is an uncaught exception, and costs no other event', async () => {
  const { stdout } = await run(process.execPath, [program('throw.js')], limit);
  const { seen, caught } = JSON.parse(stdout) as { seen: number; caught: string[] };
  expect(seen).toBe(100);
  expect(caught).toEqual(Array.from({ length: 10 }, (_, i) => `thrown at ${10 * (i + 1)} uncaughtException`));
});

test('without a handler it ends the process as any uncaught exception does', async () => {
  const text = `
    const { Epoll, EPOLLIN, EventFd } = require('@millrace/epoll');
    new Epoll(() => { throw new Error('from the callback'); }).add(new EventFd({ initial: 1 }).fd, EPOLLIN);
  `;
  const failed = run(process.execPath, ['-e', text], { ...limit, cwd: __dirname });
  await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('from the callback') });
});

test.each(['nothing', 'remove', 'unref', 'unref first', 'close'])(
  'does not keep the process alive: %s',
  async (way) => {
    expect((await run(process.execPath, [program('alive.js'), way], limit)).stdout).toBe('');
  },
);

test.each(['add', 'ref again'])('keeps the process alive while it watches: %s', async (way) => {
  // The timer that notifies is unreferenced: without the Epoll it would never run.
  expect((await run(process.execPath, [program('alive.js'), way], limit)).stdout).toBe('an event\n');
});

// The event loop itself calls epoll_pwait, so that on this processor the two can be told apart.
(process.arch === 'x64' ? test : test.skip)('a failure of the instance is reported once', async () => {
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=epoll_wait', '-e', 'inject=epoll_wait:error=EINVAL'];
  const { stdout } = await run('strace', [...inject, process.execPath, program('failure.js')], limit);
  expect(JSON.parse(stdout)).toEqual([['EINVAL', 'epoll_wait', -1, 0]]);
});

test('workers that are terminated in the middle of work leave nothing behind, and process.exit() ends them', async () => {
  const seed = process.env['MILLRACE_SEED'] ?? String(Math.floor(Math.random() * 1e6));
  const count = process.env['MILLRACE_CYCLES'] ?? '60';
  const cycles = run(process.execPath, [program('cycles.js'), count, seed], { timeout: 3_600_000 });
  const outcome = await cycles.catch((error: NodeJS.ErrnoException & { stdout: string; stderr: string }) => error);
  const told = `again with MILLRACE_SEED=${seed} MILLRACE_CYCLES=${count}\n${outcome.stderr}`;
  expect({ code: 'code' in outcome ? outcome.code : 0, told }).toEqual({ code: 7, told });
  const left = JSON.parse(outcome.stdout) as { descriptors: number; threads: number; mebibytes: number };
  expect({ ...left, told }).toMatchObject({ descriptors: 0, threads: 0, told });
  expect(left.mebibytes).toBeLessThan(32);
}, 3_600_000);
