import { runLoad } from './load.mjs';
import { ServerProcess } from './server-process.mjs';
import { shuffled } from '../../../scripts/bench/statistics.mjs';

const WARMUP_SECONDS = 0.2;

/**
 * Measures all servers at all depths, in rounds. All servers run from the beginning to the end and each is suspended
 * while it is not its turn; at every depth of a round the servers follow one another, in an order of that round's, so
 * that what the machine does meanwhile meets all of them alike. A round before the first one warms up and is dropped.
 *
 * @returns {Promise<{ cells: Map<number, Map<string, object[]>>, memory: Map<string, object> }>} samples by depth and
 *   server, one for each round in order; resident bytes before any load, after the warm-up round and at the end
 */
export async function measureProtocol({ protocol, entries, options, loadProgram, random, say }) {
  const cells = new Map(options.depths.map((depth) => [depth, new Map(entries.map(({ name }) => [name, []]))]));
  const servers = [];
  for (const entry of entries) servers.push(await ServerProcess.start(entry));
  const memory = new Map(servers.map((server) => [server.entry.name, { idle: server.residentBytes() }]));
  for (const server of servers) server.suspend();

  const visit = async (server, depth) => {
    server.resume();
    const { connections, seconds } = options;
    const load = { port: server.port, pid: server.pid, protocol, connections, depth, seconds, warmup: WARMUP_SECONDS };
    const result = await visited(server, depth, runLoad(loadProgram, load));
    server.suspend();
    server.received += result.received;
    return sampleOf(result);
  };

  for (let round = 0; round <= options.rounds; round += 1) {
    say(`${protocol}: ${round === 0 ? 'warm-up round' : `round ${round} of ${options.rounds}`}`);
    for (const depth of shuffled(options.depths, random)) {
      for (const server of shuffled(servers, random)) {
        const sample = await visit(server, depth);
        if (round > 0) cells.get(depth).get(server.entry.name).push(sample);
      }
    }
    if (round === 0) noteMemory(servers, memory, 'start');
  }
  noteMemory(servers, memory, 'end');
  for (const server of servers) await checkCount(server);
  return { cells, memory };
}

function noteMemory(servers, memory, when) {
  for (const server of servers) memory.get(server.entry.name)[when] = server.residentBytes();
}

function sampleOf(result) {
  return {
    perSecond: result.messages / result.seconds,
    perCpuSecond: result.messages / result.serverCpuSeconds,
    clientBusy: result.loadCpuSeconds / result.seconds,
    p50Us: result.p50Us,
    p99Us: result.p99Us,
    p999Us: result.p999Us,
  };
}

/** The result of a visit in which every reply came and was right; fails for any other, naming the server. */
async function visited(server, depth, visit) {
  let problem;
  try {
    const result = await visit;
    if (result.errors === 0 && result.unclosed === 0 && result.messages > 0) return result;
    problem = `did not answer as it should: ${JSON.stringify(result)}`;
  } catch (error) {
    problem = error.message;
  }
  throw new Error(`server ${server.entry.name} at depth ${depth}: ${problem}\n${server.stderr}`.trimEnd());
}

/** What the server says it has handled must be what the clients have received. */
async function checkCount(server) {
  const frames = await server.end();
  if (frames !== server.received) {
    throw new Error(`server ${server.entry.name} counted ${frames} frames, its clients ${server.received} replies`);
  }
}
