// Entry of the benchmark: it measures in a session of its own, by measure.mjs.

import { UsageError } from '../../../scripts/bench/flags.mjs';
import { startSession } from '../../../scripts/bench/session.mjs';
import { parseOptions, USAGE } from './options.mjs';

const argv = process.argv.slice(2);

try {
  if (parseOptions(argv).help) console.log(USAGE);
  else startSession(new URL('./measure.mjs', import.meta.url), argv);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
