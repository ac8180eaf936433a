// From a fresh clone to built packages: installs what npm brings if that is missing or stale, compiles the addons and
// the TypeScript. What is up to date is left alone.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { checkRequirements } from './requirements.mjs';
import { run, runTool } from './run.mjs';
import { nativeFolder, packages, root } from './workspace.mjs';

const installStamp = path.join(root, 'node_modules', '.millrace-install');

const manifests = () => [root, nativeFolder, ...packages().map(({ folder }) => folder)];

function installFingerprint() {
  const hash = createHash('sha256');
  for (const folder of manifests()) hash.update(readFileSync(path.join(folder, 'package.json')));
  return hash.digest('hex');
}

export const recordInstall = () => writeFileSync(installStamp, installFingerprint());

/** Runs `npm install` if the packages are not there or a package.json changed since. */
export async function install() {
  checkRequirements();
  if (existsSync(installStamp) && readFileSync(installStamp, 'utf8') === installFingerprint()) return;
  console.log('Installing npm packages (the first time takes about a minute)');
  // The install scripts are the addons' builds, which come next, with their progress visible.
  const args = ['install', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const { code } = npm?.endsWith('.js') ? await run(process.execPath, [npm, ...args]) : await run('npm', args);
  if (code !== 0) fail(`npm install failed with exit code ${code}: is the npm registry reachable?`);
  recordInstall();
}

async function buildAddons() {
  const { buildAddon } = createRequire(import.meta.url)('../native/lib/compile/build-addon.js');
  const all = packages();
  let next = 0;
  const buildRest = async () => {
    while (next < all.length) {
      const number = ++next;
      const log = (line) => console.log(`[${number}/${all.length}] ${line}`);
      await buildAddon(all[number - 1].folder, { log });
    }
  };
  // Ending at the first failure would leave the compiler of another addon running.
  const outcomes = await Promise.allSettled(Array.from({ length: os.availableParallelism() }, buildRest));
  const error = outcomes.find(({ status }) => status === 'rejected')?.reason;
  if (error !== undefined) fail(error.code?.startsWith('ERR_') ? error.message : error.stack);
}

export async function buildTypes() {
  const [ready, empty] = [[], []];
  for (const entry of packages()) (existsSync(path.join(entry.folder, 'src', 'index.ts')) ? ready : empty).push(entry);
  for (const { manifest } of empty) console.log(`${manifest.name} has no src/index.ts: left out`);
  if (ready.length === 0) return;
  const isNew = ({ folder }) => !existsSync(path.join(folder, 'dist', '.tsbuildinfo'));
  if (ready.some(isNew)) console.log('Compiling the TypeScript sources');
  const { code } = await runTool('typescript/bin/tsc', ['-b', '--pretty', ...ready.map(({ folder }) => folder)]);
  if (code !== 0) fail('The TypeScript sources did not compile.');
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

export async function bootstrap() {
  await install();
  await buildAddons();
  await buildTypes();
}
