// A benchmark measures in a process of its own that leads a session: the kernel's autogroup scheduling shares the
// processor out by session, so the timed processes can be weighted as one group against whatever else the machine does.
// The process that started it only passes signals on, and ends what is left if that one dies.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endAll } from './processes.mjs';

/** Runs a module with these arguments as the measuring process. Its exit code becomes ours. @param {string} url */
export function startSession(url, argv) {
  const child = fork(fileURLToPath(url), argv, { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const started = new Set();
  child.on('message', ({ pid, running }) => {
    if (running) started.add(pid);
    else started.delete(pid);
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    for (const pid of started) endLeftover(pid);
    if (signal !== null) console.error(`the measuring process was ended by ${signal}`);
    process.exitCode = code ?? 1;
  });
}

function endLeftover(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** In the measuring process: runs `body`, and leaves no process behind, however that ends. */
export async function inSession(body) {
  const stop = (code) => {
    console.error('stopped');
    process.exit(code);
  };
  process.on('SIGTERM', () => stop(130));
  process.on('disconnect', () => stop(1));
  process.on('exit', endAll);
  try {
    await body();
  } catch (error) {
    console.error(error.stack);
    process.exitCode = 1;
  } finally {
    endAll();
    process.removeAllListeners('disconnect');
    if (process.connected) process.disconnect();
  }
}
