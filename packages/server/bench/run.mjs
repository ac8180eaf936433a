// Entry of the benchmark. It measures in a process of its own (measure.mjs) that leads a session: the kernel's
// autogroup scheduling shares the processor out by session, so the timed processes can be weighted as one group against
// whatever else the machine does. This process only passes signals on, and ends what is left if that one dies.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseOptions, USAGE, UsageError } from './options.mjs';

const argv = process.argv.slice(2);

try {
  if (parseOptions(argv).help) console.log(USAGE);
  else measure();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

function measure() {
  const child = fork(fileURLToPath(new URL('./measure.mjs', import.meta.url)), argv, {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
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
