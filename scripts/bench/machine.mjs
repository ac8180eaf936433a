import { readFileSync, writeFileSync } from 'node:fs';
import { constants, cpus, loadavg, release, setPriority, totalmem } from 'node:os';

const AUTOGROUP_NICE = -10;

/** @returns {string} one line: processors, memory, kernel, and the load there is before anything is measured */
export function describeMachine() {
  const processors = cpus();
  const model = processors[0]?.model.trim();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${processors.length} × ${model}, ${memory}, Linux ${release()}; load average before: ${loadavg()[0].toFixed(2)}.`;
}

/**
 * Gives this session, and with it everything it starts, more weight against other work on the machine. Where the
 * kernel groups by session (autogroup) a plain nice value counts inside the session only, so the group's is raised.
 *
 * @returns {string} what was done, for the report
 */
export function raiseWeight() {
  if (autogroupEnabled()) {
    try {
      writeFileSync('/proc/self/autogroup', String(AUTOGROUP_NICE));
      return `autogroup at nice ${AUTOGROUP_NICE}`;
    } catch (error) {
      return `autogroup not raised (${error.code})`;
    }
  }
  try {
    setPriority(process.pid, constants.priority.PRIORITY_HIGH);
    return `nice ${constants.priority.PRIORITY_HIGH}`;
  } catch (error) {
    return `priority not raised (${error.code})`;
  }
}

function autogroupEnabled() {
  try {
    return readFileSync('/proc/sys/kernel/sched_autogroup_enabled', 'utf8').trim() === '1';
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}
