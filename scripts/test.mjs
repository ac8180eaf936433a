// npm test: builds what is not built, then runs the TypeScript tests (jest) and the C++ tests (ctest).
//   npm test -- --only=native        one of the two: native, js
//   npm test -- packages/framing     jest's arguments; only the TypeScript tests are run then
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { judged } from './counts.mjs';
import { nativeTests } from './native-tests.mjs';
import { checkRequirements } from './requirements.mjs';
import { runTool } from './run.mjs';

// Continuous integration gives everything twenty minutes; a test that hangs must not take the closing line with it.
const limits = { js: 11, native: 7 };

async function javaScriptTests(args) {
  const temporary = mkdtempSync(path.join(tmpdir(), 'millrace-jest-'));
  const report = path.join(temporary, 'report.json');
  const env = { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --expose-gc`.trim() };
  const { code } = await runTool('jest/bin/jest.js', ['--json', `--outputFile=${report}`, ...args], {
    env,
    limitMinutes: limits.js,
  });
  const counts = readReport(report);
  rmSync(temporary, { recursive: true });
  return judged(counts, code);
}

function readReport(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    return {
      passed: report.numPassedTests,
      // A suite that did not load has no tests to count.
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

const args = process.argv.slice(2).filter((arg) => !arg.startsWith('--only='));
const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);

if (only === 'native') checkRequirements();
else await bootstrap();
const parts = [];
if (only !== 'native') parts.push(await javaScriptTests(args));
if (only !== 'js' && args.length === 0) parts.push(await nativeTests('release', {}, { limitMinutes: limits.native }));

const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
process.exitCode = sum('failed') === 0 ? 0 : 1;
