// npm run lint: types of the tests, ESLint, Prettier, the floors of the core, clang-format where it is installed.
// --fix (npm run format) writes what Prettier and clang-format would have, and checks nothing else.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { bootstrap, install } from './bootstrap.mjs';
import { floorViolations } from './floors.mjs';
import { isInstalled, run, runTool } from './run.mjs';
import { nativeFolder, packages, root } from './workspace.mjs';

const fix = process.argv.includes('--fix');
let failures = 0;

async function step(name, result) {
  const { code } = await result;
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  if (code !== 0) failures++;
}

function cppSources() {
  const folders = [
    ...['include', 'test', 'model', 'bench'].map((name) => path.join(nativeFolder, name)),
    ...packages().flatMap(({ folder }) => ['src', 'bench', 'examples'].map((name) => path.join(folder, name))),
  ];
  return folders.flatMap((folder) => {
    try {
      const files = readdirSync(folder, { recursive: true });
      const ours = files.filter((file) => /\.(cc|h)$/.test(file) && !/(^|\/)(build|node_modules)\//.test(file));
      return ours.map((file) => path.relative(root, path.join(folder, file)));
    } catch {
      return []; // Not every package has a bench.
    }
  });
}

function checkFloors() {
  const violations = floorViolations();
  for (const line of violations) console.log(line);
  return { code: violations.length };
}

if (fix) {
  await install();
} else {
  await bootstrap(); // ESLint and the compiler read the types that the packages export.
  await step('types of the tests', runTool('typescript/bin/tsc', ['-p', 'tsconfig.tests.json', '--pretty']));
  await step('floors', checkFloors());
  await step('eslint', runTool('eslint/bin/eslint.js', ['.']));
}
const files = '**/*.{ts,mts,cts,js,mjs,cjs,json,yml,yaml}';
await step('prettier', runTool('prettier/bin/prettier.cjs', [fix ? '--write' : '--check', '--log-level=warn', files]));
if (isInstalled('clang-format')) {
  await step('clang-format', run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...cppSources()]));
} else {
  console.log('skip clang-format: sudo apt-get install clang-format');
}
process.exitCode = failures === 0 ? 0 : 1;
