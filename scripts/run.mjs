import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from './workspace.mjs';

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a command in the root of the repository and waits for its end. Its output goes where ours goes, or is kept with
 * `capture`. A command that is not there gives code 127, one that outlives `limitMinutes` is killed with all processes
 * of its group and gives code 124.
 *
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { capture = false, limitMinutes, env, cwd = root } = {}) {
  return new Promise((resolve) => {
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const guard = limitMinutes === undefined ? undefined : guardGroup(path.basename(command), limitMinutes);
    const child = spawn(command, args, { cwd, stdio, env: { ...process.env, ...env }, detached: guard !== undefined });
    if (guard !== undefined) guard.leader = child.pid;
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    const end = (code) => {
      guard?.release();
      resolve({ code: guard?.late ? 124 : code, output: Buffer.concat(chunks).toString() });
    };
    child.once('error', () => end(127));
    child.once('close', (code) => end(code ?? 1));
  });
}

/**
 * Ends the process group of `leader` when its time is up: its children, which may be what hangs, would otherwise live on
 * and hold our output open. A terminal's Ctrl-C does not reach a group of its own, so what ends us ends it.
 */
function guardGroup(name, limitMinutes) {
  const endGroup = (signal) => {
    try {
      process.kill(-guard.leader, signal);
    } catch {
      // It has ended by itself.
    }
  };
  const pass = (signal) => {
    endGroup('SIGTERM'); // Not the signal itself: what a shell runs in the background ignores SIGINT.
    guard.release();
    process.kill(process.pid, signal);
  };
  const timer = setTimeout(() => {
    guard.late = true;
    process.stderr.write(`${name} did not end within ${limitMinutes} minutes\n`);
    endGroup('SIGKILL');
  }, limitMinutes * 60_000);
  const guard = {
    leader: undefined,
    late: false,
    release: () => {
      clearTimeout(timer);
      for (const signal of endings) process.off(signal, pass);
    },
  };
  for (const signal of endings) process.on(signal, pass);
  return guard;
}

/** Runs a script of an installed npm package. */
export const runTool = (script, args, options) =>
  run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);

export const isInstalled = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
