// The frame of a package's benchmark, packages/NAME/bench/run.mjs:
//
//   import { bench } from '../../../scripts/bench/bench.mjs';
//   import { renderComparison } from '../../../scripts/bench/comparison.mjs';
//   import { measureRounds } from '../../../scripts/bench/rounds.mjs';
//   import { timed } from '../../../scripts/bench/timed.mjs';
//
//   await bench(import.meta.url, 'queue', async (context) => {
//     const samples = await measureRounds([{ name: 'ours', sample: timed(body) }, …], context);
//     const row = { what: 'push and pop', ours: samples.get('ours'), peer: { name: 'Array', samples: … }, goal: { atMost: 0.5 } };
//     return { versions: ['piscina 5.1.3'], sections: [renderComparison([row])] };
//   });
//
// It parses the flags, measures in a session of its own (session.mjs), prints machine and tables, and writes the README.
// The exit code is 0 also where a goal is missed: the table says so.

import { describeMachine, raiseWeight } from './machine.mjs';
import { HOW_TO_READ } from './comparison.mjs';
import { numberOf, parseFlags, UsageError } from './flags.mjs';
import { writeReadme } from './readme.mjs';
import { inSession, startSession } from './session.mjs';
import { randomFrom } from './statistics.mjs';

const FEWEST_ROUNDS_TO_PUBLISH = 7;

const usage = (name, rounds, more) => `npm run bench -- ${name} [flags]

  --rounds N         each visits every contender once (default ${rounds}; one to warm up comes before)
  --seed N           of the order of the visits (default: the clock; always printed)
  --quick            2 rounds, to see that everything runs; not for figures
  --write-readme     put the tables between the bench:${name} markers of the package's README${more}`;

/**
 * @typedef {object} Context – what `measure` is given
 * @property {number} rounds
 * @property {boolean} quick – the figures will mean nothing: make it short
 * @property {() => number} random – numbers in [0, 1) that the seed repeats
 * @property {(text: string) => void} say – progress, to stderr
 * @property {Record<string, string | boolean | undefined>} flags – the values of `options.flags`
 */

/**
 * Runs a benchmark.
 *
 * @param {string} url – import.meta.url of the calling module, which is run again as the measuring process
 * @param {string} name – of the package's folder
 * @param {(context: Context) => Promise<{ sections: string[], versions?: string[] }>} measure – versions: of what was
 *   compared, beside Node's
 * @param {{ rounds?: number, flags?: import('node:util').ParseArgsConfig['options'], usage?: string }} options –
 *   default rounds; flags of its own, and their lines for --help
 */
export async function bench(url, name, measure, { rounds: defaultRounds = 9, flags = {}, usage: more } = {}) {
  const argv = process.argv.slice(2);
  let settings;
  try {
    settings = settingsOf(argv, defaultRounds, flags);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
    return;
  }
  if (settings.help) console.log(usage(name, defaultRounds, more === undefined ? '' : `\n${more}`));
  else if (process.connected) await inSession(() => measureAndReport(name, measure, settings));
  else startSession(url, argv);
}

function settingsOf(argv, defaultRounds, flags) {
  const values = parseFlags(argv, {
    rounds: { type: 'string' },
    seed: { type: 'string' },
    quick: { type: 'boolean' },
    'write-readme': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    ...flags,
  });
  const quick = values.quick ?? false;
  const rounds = { min: 1, max: 1000, fallback: quick ? 2 : defaultRounds, integer: true };
  const seed = { min: 0, max: 2 ** 32 - 1, fallback: Date.now() % 2 ** 32, integer: true };
  const settings = {
    help: values.help ?? false,
    quick,
    writeReadme: values['write-readme'] ?? false,
    rounds: numberOf('--rounds', values.rounds, rounds),
    seed: numberOf('--seed', values.seed, seed),
    flags: values,
  };
  if (settings.writeReadme && (quick || settings.rounds < FEWEST_ROUNDS_TO_PUBLISH)) {
    throw new UsageError(`--write-readme needs ${FEWEST_ROUNDS_TO_PUBLISH} rounds or more, and no --quick`);
  }
  return settings;
}

async function measureAndReport(name, measure, { rounds, seed, quick, writeReadme: write, flags }) {
  const say = (text) => console.error(text);
  const machine = describeMachine();
  const weight = raiseWeight();
  say(`seed ${seed}; ${weight}`);
  const { sections, versions = [] } = await measure({ rounds, quick, random: randomFrom(seed), say, flags });
  const about = [
    machine,
    [`Node ${process.versions.node}`, ...versions].join(', ') + '.',
    `${rounds} rounds, seed ${seed}, ${weight}.`,
    HOW_TO_READ,
  ];
  const text = [about.join('\n'), ...sections].join('\n\n');
  console.log(text);
  if (quick) console.log('A quick run: it shows that everything works, the figures mean nothing.');
  if (write) say(`tables written to ${writeReadme(name, text)}`);
}
