// The C++ tests: configured by CMake, run by ctest.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { judged } from './counts.mjs';
import { isInstalled, run } from './run.mjs';
import { nativeFolder } from './workspace.mjs';

const { findCompiler } = createRequire(import.meta.url)('../native/lib/compile/compiler.js');
const jobs = () => String(os.availableParallelism());

/** How many TEST, TEST_F, TEST_P and TYPED_TEST the sources hold: what is skipped where they cannot be built. */
function countTests() {
  const sources = ['test', 'model'].flatMap((name) => {
    const folder = path.join(nativeFolder, name);
    return readdirSync(folder, { recursive: true }).map((file) => path.join(folder, file));
  });
  const texts = sources.filter((file) => /_(test|model)\.cc$/.test(file)).map((file) => readFileSync(file, 'utf8'));
  return texts.reduce((sum, text) => sum + (text.match(/^(TYPED_)?TEST(_F|_P)?\(/gm) ?? []).length, 0);
}

/**
 * Configures a build folder of native/.
 *
 * @param name - of the folder under native/build
 * @param definitions - CMake variables
 * @returns {Promise<{ folder: string, missing?: string, failed?: boolean }>} `missing`: what to install, and how
 */
export async function configure(name, definitions) {
  const folder = path.join(nativeFolder, 'build', name);
  if (!isInstalled('cmake')) return { folder, missing: 'CMake is missing: sudo apt-get install cmake' };
  const generator = isInstalled('ninja') ? ['-G', 'Ninja'] : [];
  const variables = Object.entries(definitions).map(([key, value]) => `-D${key}=${value}`);
  const args = ['-S', nativeFolder, '-B', folder, ...generator, ...variables];
  const { code, output } = await run('cmake', args, { capture: true, env: { CXX: findCompiler() } });
  if (code === 0) return { folder };
  const missing = /(Google (Test|Benchmark) is missing: .*)/.exec(output)?.[1];
  if (missing === undefined) process.stderr.write(output);
  return missing === undefined ? { folder, failed: true } : { folder, missing };
}

export const build = (folder, targets = []) =>
  run('cmake', ['--build', folder, '--parallel', jobs(), ...targets.flatMap((target) => ['--target', target])]);

/**
 * @param name - of the build folder
 * @param definitions - CMake variables
 * @param launcher - a command to run ctest under
 * @returns {Promise<{ passed: number, failed: number, skipped: number }>}
 */
export async function nativeTests(name, definitions, { launcher = [], env, limitMinutes } = {}) {
  const { folder, missing, failed } = await configure(name, { MILLRACE_TESTS: 'ON', ...definitions });
  if (missing !== undefined) {
    console.log(`The C++ tests are skipped. ${missing}`);
    return { passed: 0, failed: 0, skipped: countTests() };
  }
  if (failed || (await build(folder)).code !== 0) {
    console.log('The C++ tests did not compile.');
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const temporary = mkdtempSync(path.join(os.tmpdir(), 'millrace-ctest-'));
  const report = path.join(temporary, 'report.xml');
  const ctest = [
    'ctest',
    '--test-dir',
    folder,
    '--progress',
    '--output-on-failure',
    '--output-junit',
    report,
    '-j',
    jobs(),
  ];
  const [command, ...args] = [...launcher, ...ctest];
  const { code } = await run(command, args, { env, limitMinutes });
  const counts = readReport(report);
  rmSync(temporary, { recursive: true });
  return judged(counts, code);
}

function readReport(file) {
  let head = '';
  try {
    head = /<testsuite\b[^>]*>/.exec(readFileSync(file, 'utf8'))?.[0] ?? '';
  } catch {
    // ctest did not come so far; its exit code says so.
  }
  const number = (attribute) => Number(new RegExp(`\\b${attribute}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [tests, failed, skipped] = [number('tests'), number('failures'), number('skipped') + number('disabled')];
  return { passed: tests - failed - skipped, failed, skipped };
}
