import { run } from '../../../scripts/bench/processes.mjs';

const GRACE_MS = 15_000;

/**
 * One visit of the load generator.
 *
 * @param {string} program – path of the compiled generator
 * @param {{ port: number, pid?: number, protocol: string, connections: number, depth: number, seconds: number,
 *   warmup: number }} visit
 * @returns {Promise<object>} its JSON line; `errors` counts wrong, lost and surplus replies
 */
export async function runLoad(program, visit) {
  const flags = {
    '--port': visit.port,
    '--protocol': visit.protocol,
    '--connections': visit.connections,
    '--depth': visit.depth,
    '--seconds': visit.seconds,
    '--warmup': visit.warmup,
    ...(visit.pid === undefined ? {} : { '--server-pid': visit.pid }),
  };
  const limitMs = (visit.seconds + visit.warmup) * 1000 + GRACE_MS;
  const { code, stdout, stderr } = await run(program, Object.entries(flags).flat().map(String), limitMs);
  if (code === null) throw new Error(`the load generator did not end within ${limitMs} ms`);
  if (stdout === '') throw new Error(`the load generator failed: ${stderr.trim()}`);
  return JSON.parse(stdout);
}
