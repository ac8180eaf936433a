// npm run pack:check: packs every workspace, installs the tarballs into an empty project with an empty HOME, loads each
// package from ESM and from CommonJS, and runs the first example of each package's README there.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { runExample, writeExample } from './readme-example.mjs';
import { run } from './run.mjs';
import { nativeFolder, packages, root, workspace } from './workspace.mjs';

const work = mkdtempSync(path.join(tmpdir(), 'millrace-pack-'));
const [tarballs, project, home] = ['tarballs', 'project', 'home'].map((name) => path.join(work, name));
for (const folder of [tarballs, project, home]) mkdirSync(folder);
const env = { HOME: home, npm_config_cache: process.env.npm_config_cache ?? path.join(home, '.npm') };
let failures = 0;

async function step(name, action) {
  const { code, output = '' } = await action;
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  if (code === 0) return;
  failures++;
  console.log(output.trimEnd());
}

const inProject = (command, args) => run(command, args, { cwd: project, capture: true, env, limitMinutes: 5 });

await bootstrap();
const addons = packages().filter(({ folder }) => existsSync(path.join(folder, 'dist', 'index.js')));
const ready = [workspace('native', nativeFolder), ...addons];

for (const { folder } of ready) {
  const args = ['pack', '--ignore-scripts', '--pack-destination', tarballs];
  await step(`npm pack ${path.relative(root, folder)}`, run('npm', args, { cwd: folder, capture: true, env }));
}

const files = readdirSync(tarballs).map((file) => path.join(tarballs, file));
writeFileSync(path.join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
await step('npm install of the tarballs', inProject('npm', ['install', '--no-audit', '--no-fund', ...files]));

// An npm that runs install scripts has done this already; npm 12 leaves it to the user.
const build = path.join(project, 'node_modules', '.bin', 'millrace-native');
for (const { manifest } of addons) {
  const installed = path.join(project, 'node_modules', manifest.name);
  await step(`${manifest.name}: addon`, inProject(build, ['build', installed]));
}
for (const { manifest } of ready) {
  const load = (way) => inProject(process.execPath, ['--input-type', ...way]);
  const shown = `if (Object.keys(it).length === 0) throw new Error('no exports')`;
  await step(`${manifest.name}: require`, load(['commonjs', '-e', `const it = require('${manifest.name}'); ${shown}`]));
  await step(`${manifest.name}: import`, load(['module', '-e', `import * as it from '${manifest.name}'; ${shown}`]));
}

// The compiler and Node's types are what a TypeScript project would have.
mkdirSync(path.join(project, 'node_modules', '@types'), { recursive: true });
for (const name of ['typescript', '@types/node', 'undici-types']) {
  const link = path.join(project, 'node_modules', name);
  if (!existsSync(link)) symlinkSync(path.join(root, 'node_modules', name), link);
}
for (const { directory, manifest } of ready) {
  const readme = path.join(project, 'node_modules', manifest.name, 'README.md');
  const folder = path.join(project, `example-${directory}`);
  const main = existsSync(readme) ? writeExample(readFileSync(readme, 'utf8'), folder) : undefined;
  if (main === undefined) await step(`${manifest.name}: README has no example`, { code: 1 });
  else await step(`${manifest.name}: README example`, runExample(folder, main, env));
}

rmSync(work, { recursive: true });
console.log(failures === 0 ? 'The tarballs work.' : `${failures} steps failed`);
process.exitCode = failures === 0 ? 0 : 1;
