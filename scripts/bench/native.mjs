import path from 'node:path';
import { build, configure } from '../native-tests.mjs';
import { run } from './processes.mjs';

const LIMIT_MS = 240_000;

/**
 * Builds native/bench/NAME_bench.cc (Release).
 *
 * @returns {Promise<string>} the program's path
 */
export async function buildNativeBench(name) {
  const { folder, missing, failed } = await configure('bench', {
    MILLRACE_TESTS: 'OFF',
    MILLRACE_BENCHES: 'ON',
    CMAKE_BUILD_TYPE: 'Release',
  });
  if (missing !== undefined) throw new Error(missing);
  if (failed || (await build(folder, [`${name}_bench`])).code !== 0) {
    throw new Error(`native/bench/${name}_bench.cc did not compile`);
  }
  return path.join(folder, `${name}_bench`);
}

/**
 * Runs a program of Google Benchmark once a round, its benchmarks in random order each time; the first round warms up
 * and is dropped. A process a round: none keeps the luck of one address layout.
 *
 * @param {string} name – of native/bench/NAME_bench.cc
 * @param {{ rounds: number, say?: (text: string) => void }} context
 * @param {{ filter?: string, minTime?: number, value?: string, args?: string[] }} options – a regular expression of
 *   names; seconds of one sample; which field or counter is the sample (default: real_time, in nanoseconds)
 * @returns {Promise<Map<string, number[]>>} by benchmark (`/real_time` and the like cut off), one sample a round. A
 *   peer that is not installed has none: see debianPeer()
 */
export async function nativeSamples(name, { rounds, say = () => undefined }, options = {}) {
  const { filter = '.', minTime = 0.05, value = 'real_time', args = [] } = options;
  const program = await buildNativeBench(name);
  const samples = new Map();
  for (let round = 0; round <= rounds; round += 1) {
    say(`${name}: ${round === 0 ? 'warm-up round' : `round ${round} of ${rounds}`}`);
    const flags = {
      '--benchmark_filter': filter,
      '--benchmark_min_time': minTime,
      '--benchmark_enable_random_interleaving': true,
      '--benchmark_format': 'json',
    };
    const given = Object.entries(flags).map(([flag, setting]) => `${flag}=${setting}`);
    const { code, stdout, stderr } = await run(program, [...given, ...args], LIMIT_MS);
    if (code !== 0) throw new Error(`${program} ${code === null ? 'did not end' : `failed (${code})`}:\n${stderr}`);
    if (round === 0) continue;
    for (const benchmark of JSON.parse(stdout).benchmarks) collect(samples, benchmark, value);
  }
  return samples;
}

const NANOSECONDS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

function collect(samples, benchmark, value) {
  if (benchmark.error_occurred) throw new Error(`${benchmark.name}: ${benchmark.error_message}`);
  const name = benchmark.name.replace(
    /(\/(real_time|process_time|manual_time|threads:\d+|min_time:[\d.]+|iterations:\d+))+$/,
    '',
  );
  const scale = value.endsWith('_time') ? NANOSECONDS[benchmark.time_unit] : 1;
  if (!samples.has(name)) samples.set(name, []);
  samples.get(name).push(benchmark[value] * scale);
}
