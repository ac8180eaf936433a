// The measuring process: leader of its own session, started by run.mjs.

import { UsageError } from '../../../scripts/bench/flags.mjs';
import { describeMachine, raiseWeight } from '../../../scripts/bench/machine.mjs';
import { writeReadme } from '../../../scripts/bench/readme.mjs';
import { inSession } from '../../../scripts/bench/session.mjs';
import { randomFrom } from '../../../scripts/bench/statistics.mjs';
import { buildNative } from './native-build.mjs';
import { parseOptions } from './options.mjs';
import { findBun } from './peers.mjs';
import { renderProtocol, renderMemory, renderVerdict } from './report.mjs';
import { checkServers, roster } from './roster.mjs';
import { measureProtocol } from './rounds.mjs';
import { selfCheck } from './self-check.mjs';

const say = (text) => console.error(text);

await inSession(async () => {
  try {
    await main(parseOptions(process.argv.slice(2)));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(error.message);
    process.exitCode = 2;
  }
});

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
    before,
    'Clients and servers share the machine, over loopback.',
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
  if (options.writeReadme) say(`tables written to ${writeReadme('server', text)}`);
}
