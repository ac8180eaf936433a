// npm run bench -- NAME [ARGUMENTS]: packages/NAME/bench/run.mjs, or native/bench/NAME_bench.cc by Google Benchmark.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { build, configure } from './native-tests.mjs';
import { run } from './run.mjs';
import { nativeFolder, packages } from './workspace.mjs';

const nativeBenches = path.join(nativeFolder, 'bench');
const scriptOf = (folder) => path.join(folder, 'bench', 'run.mjs');

function names() {
  const sources = existsSync(nativeBenches)
    ? readdirSync(nativeBenches).filter((file) => file.endsWith('_bench.cc'))
    : [];
  const ofPackages = packages().filter(({ folder }) => existsSync(scriptOf(folder)));
  return [
    ...ofPackages.map(({ directory }) => directory),
    ...sources.map((file) => file.slice(0, -'_bench.cc'.length)),
  ];
}

async function runNative(name, args) {
  const { folder, missing, failed } = await configure('bench', {
    MILLRACE_TESTS: 'OFF',
    MILLRACE_BENCHES: 'ON',
    CMAKE_BUILD_TYPE: 'Release',
  });
  if (missing !== undefined) process.stderr.write(`${missing}\n`);
  if (missing !== undefined || failed || (await build(folder, [`${name}_bench`])).code !== 0) return 1;
  return (await run(path.join(folder, `${name}_bench`), args)).code;
}

const [name, ...args] = process.argv.slice(2);
if (!names().includes(name)) {
  process.stderr.write(`Usage: npm run bench -- NAME [ARGUMENTS]\nNAME is one of: ${names().join(', ')}\n`);
  process.exit(2);
}
const owner = packages().find(({ directory, folder }) => directory === name && existsSync(scriptOf(folder)));
if (owner === undefined) {
  process.exitCode = await runNative(name, args);
} else {
  await bootstrap();
  process.exitCode = (await run(process.execPath, [scriptOf(owner.folder), ...args])).code;
}
