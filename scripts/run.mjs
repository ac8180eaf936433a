import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { root } from './workspace.mjs';

/**
 * Runs a command in the root of the repository and waits for its end. Its output goes where ours goes, or is kept with
 * `capture`. A command that is not there gives code 127, one that outlives `limitMinutes` is killed and gives code 124.
 *
 * @returns {Promise<{ code: number, output: string }>}
 */
export function run(command, args, { capture = false, limitMinutes, env, cwd = root } = {}) {
  return new Promise((resolve) => {
    const stdio = capture ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, stdio, env: { ...process.env, ...env } });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    let late = false;
    const timer =
      limitMinutes &&
      setTimeout(() => {
        late = true;
        process.stderr.write(`${path.basename(command)} did not end within ${limitMinutes} minutes\n`);
        child.kill('SIGKILL');
      }, limitMinutes * 60_000);
    const end = (code) => {
      clearTimeout(timer);
      resolve({ code: late ? 124 : code, output: Buffer.concat(chunks).toString() });
    };
    child.once('error', () => end(127));
    child.once('close', (code) => end(code ?? 1));
  });
}

/** Runs a script of an installed npm package. */
export const runTool = (script, args, options) =>
  run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);

export const isInstalled = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
