// Every process of the benchmark is started here, so that each is ended by its pid whatever happens: by endAll() on
// failure and on signals, and by session.mjs, which is told of each, should this process die.

import { spawn } from 'node:child_process';

const running = new Set();
let ending = false;

/** Starts a program; its standard output and error are pipes. @returns {import('node:child_process').ChildProcess} */
export function start(command, args, variables = {}) {
  if (ending) throw new Error('the benchmark is ending');
  const env = { ...process.env, ...variables };
  delete env.NODE_OPTIONS;
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  if (child.pid === undefined) return child;
  running.add(child);
  report(child.pid, true);
  child.on('exit', () => {
    running.delete(child);
    report(child.pid, false);
  });
  return child;
}

export function endAll() {
  ending = true;
  for (const child of running) child.kill('SIGKILL');
}

function report(pid, isRunning) {
  if (process.connected) process.send({ pid, running: isRunning });
}

/**
 * Runs a program to its end.
 *
 * @param {number} limitMs – killed after this many milliseconds
 * @param {Record<string, string>} variables – of the environment, beside ours
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>} code is null when it was killed
 */
export function run(command, args, limitMs, variables = {}) {
  return new Promise((resolve, reject) => {
    const child = start(command, args, variables);
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    child.on('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ code, stdout, stderr });
    });
  });
}

/** As run(), but a program that cannot be started is one that failed. */
export async function runIfThere(command, args, limitMs) {
  try {
    return await run(command, args, limitMs);
  } catch (error) {
    return { code: 1, stdout: '', stderr: error.message };
  }
}
