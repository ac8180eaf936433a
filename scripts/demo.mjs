// npm run demo -- NAME [ARGUMENTS]: packages/PACKAGE/examples/NAME/main.mjs. What the example needs beside the packages is
// compiled and installed first, in its own folder.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { run } from './run.mjs';
import { packages } from './workspace.mjs';

function examples() {
  return packages().flatMap(({ folder }) => {
    const parent = path.join(folder, 'examples');
    if (!existsSync(parent)) return [];
    const names = readdirSync(parent).filter((name) => existsSync(path.join(parent, name, 'main.mjs')));
    return names.map((name) => ({ name, folder: path.join(parent, name) }));
  });
}

/** The example's own dependencies, unless they are there in that version. */
async function installFor(folder) {
  const manifest = path.join(folder, 'package.json');
  const { dependencies = {} } = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : {};
  const isThere = ([name, version]) => {
    const installed = path.join(folder, 'node_modules', name, 'package.json');
    return existsSync(installed) && JSON.parse(readFileSync(installed, 'utf8')).version === version;
  };
  if (Object.entries(dependencies).every(isThere)) return 0;
  const flags = ['--workspaces=false', '--no-audit', '--no-fund', '--package-lock=false', '--loglevel=error'];
  return (await run('npm', ['install', '--prefix', folder, ...flags], { cwd: folder })).code;
}

async function demo({ folder }, args) {
  await bootstrap();
  const installed = await installFor(folder);
  if (installed !== 0) return installed;
  if (existsSync(path.join(folder, 'binding.gyp'))) {
    const { buildAddon } = createRequire(import.meta.url)('../native/lib/compile/build-addon.js');
    await buildAddon(folder, { log: console.log });
  }
  return (await run(process.execPath, [path.join(folder, 'main.mjs'), ...args])).code;
}

const [name, ...args] = process.argv.slice(2);
const chosen = examples().find((example) => example.name === name);
if (chosen === undefined) {
  const names = examples().map((example) => example.name);
  process.stderr.write(`Usage: npm run demo -- NAME [ARGUMENTS]\nNAME is one of: ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await demo(chosen, args);
}
