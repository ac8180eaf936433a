// The measuring process: leader of its own session, started by run.mjs.

import { buildNative } from './native-build.mjs';
import { describeMachine, raiseWeight } from './machine.mjs';
import { parseOptions, UsageError } from './options.mjs';
import { findBun } from './peers.mjs';
import { endAll } from './processes.mjs';
import { writeReadme } from './readme.mjs';
import { renderProtocol, renderMemory, renderVerdict } from './report.mjs';
import { checkServers, roster } from './roster.mjs';
import { measureProtocol } from './rounds.mjs';
import { selfCheck } from './self-check.mjs';
import { randomFrom } from './statistics.mjs';

const say = (text) => console.error(text);

process.on('SIGTERM', () => stop(130));
process.on('disconnect', () => stop(1));
process.on('exit', endAll);

try {
  await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  say(error instanceof UsageError ? error.message : error.stack);
  process.exitCode = error instanceof UsageError ? 2 : 1;
} finally {
  endAll();
  process.removeAllListeners('disconnect');
  if (process.connected) process.disconnect();
}

function stop(code) {
  say('stopped');
  process.exit(code);
}

async function main(options) {
  if (!options.selfCheck) checkServers(options.servers);
  const native = await buildNative(say);
  if (options.selfCheck) {
    await selfCheck(native);
    return;
  }
  const bun = await findBun(say);
  const weight = raiseWeight();
  const random = randomFrom(options.seed);
  const results = new Map();
  say(`seed ${options.seed}; ${weight}`);
  const before = describeMachine();
  for (const protocol of options.protocols) {
    const entries = roster(protocol, options.servers, native, bun);
    const servers = { protocol, entries, options, loadProgram: native.load, random, say };
    results.set(protocol, await measureProtocol(servers));
  }
  const machine = [
    ...before,
    `Node ${process.versions.node}, Bun ${bun.version ?? `not measured (${bun.missing})`}, ${native.compiler}.`,
    `${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s, seed ${options.seed}; ${weight}.`,
  ].join('\n');
  const sections = [machine];
  for (const [protocol, result] of results) sections.push(renderProtocol(protocol, result));
  sections.push(renderMemory(results));
  const text = sections.join('\n\n');
  console.log(text);
  for (const line of renderVerdict(results)) console.log(line);
  if (options.quick) console.log('A quick run: it shows that everything works, the figures mean nothing.');
  if (options.writeReadme) say(`tables written to ${writeReadme(text)}`);
}
