import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { runIfThere } from './processes.mjs';

const CACHE = path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'millrace-bench');
const INSTALL_LIMIT_MS = 300_000;

/**
 * A package that we are compared with, in a cache folder of its own outside of the workspaces.
 *
 * @typedef {object} Peer
 * @property {string} name
 * @property {string} version
 * @property {string} [folder] – the installed package's
 * @property {string} [loader] – URL of a module whose default export imports packages as installed there, for workers
 *   and children: `(await import(loader)).default('piscina')`
 * @property {() => Promise<any>} [load] – imports it here
 * @property {string} [missing] – why it could not be installed; then the three before are left out
 */

/**
 * Installs npm packages, at their first use.
 *
 * @param {Record<string, string>} versions – exact, by name: `{ piscina: '5.1.3' }`
 * @param {{ say?: (text: string) => void, scripts?: boolean }} options – scripts: its install scripts run too (default:
 *   no; native packages without prebuilt binaries need them)
 * @returns {Promise<Record<string, Peer>>} by name
 */
export async function npmPeers(versions, { say = () => undefined, scripts = false } = {}) {
  const peers = {};
  for (const [name, version] of Object.entries(versions)) peers[name] = await npmPeer(name, version, say, scripts);
  return peers;
}

async function npmPeer(name, version, say, scripts) {
  const place = path.join(CACHE, `${name.replace('/', '+')}@${version}`);
  const folder = path.join(place, 'node_modules', name);
  if (installedVersion(folder) !== version) {
    say(`installing ${name} ${version} (npm) into ${place}`);
    mkdirSync(place, { recursive: true });
    const manifest = { private: true, dependencies: { [name]: version } };
    writeFileSync(path.join(place, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    const flags = ['--workspaces=false', '--no-audit', '--no-fund', '--package-lock=false'];
    if (!scripts) flags.push('--ignore-scripts');
    const { code, stderr } = await runIfThere('npm', ['install', '--prefix', place, ...flags], INSTALL_LIMIT_MS);
    if (code !== 0) return { name, version, missing: `npm could not install it: ${reasonOf(stderr)}` };
  }
  const loaderFile = path.join(place, 'load.mjs');
  writeFileSync(loaderFile, 'export default (name) => import(name);\n');
  const loader = pathToFileURL(loaderFile).href;
  return { name, version, folder, loader, load: async () => (await import(loader)).default(name) };
}

function installedVersion(folder) {
  const manifest = path.join(folder, 'package.json');
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined;
}

/** What follows npm's line with a code says what happened. */
function reasonOf(stderr) {
  const lines = stderr.split('\n').filter((line) => line.startsWith('npm error'));
  return (lines[1] ?? lines[0] ?? stderr.trim()).replace('npm error ', '');
}
