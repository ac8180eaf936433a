import { readFileSync, writeFileSync } from 'node:fs';
import { constants, cpus, loadavg, release, setPriority, totalmem } from 'node:os';

const AUTOGROUP_NICE = -10;

/** @returns {string[]} lines on the machine, with the load it had before the first server was started */
export function describeMachine() {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}.`,
    `Load average at the start: ${loadavg()[0].toFixed(2)}; clients and servers share the machine, over loopback.`,
  ];
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
