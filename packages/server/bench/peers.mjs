import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './processes.mjs';

const FOLDER = fileURLToPath(new URL('./.peers/', import.meta.url));
const PLATFORMS = join(FOLDER, 'node_modules', '@oven');
const BUN_VERSION = '1.4.5';
const INSTALL_LIMIT_MS = 300_000;
const ANSWER_LIMIT_MS = 20_000;

/**
 * Bun, from its npm package, installed beside the benchmark when it first runs. Its program is in the optional package
 * of the platform and is used from there: the main package's install script, which would link it, need not run.
 *
 * @returns {Promise<{ path: string, version: string } | { missing: string }>}
 */
export async function findBun(say) {
  let bun = await installedBun();
  if (bun !== undefined) return bun;
  say(`installing bun ${BUN_VERSION} (npm, about 100 MB)`);
  mkdirSync(FOLDER, { recursive: true });
  const manifest = { private: true, dependencies: { bun: BUN_VERSION } };
  writeFileSync(join(FOLDER, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const flags = ['--workspaces=false', '--ignore-scripts', '--no-audit', '--no-fund', '--package-lock=false'];
  const { code, stderr } = await runIfThere('npm', ['install', '--prefix', FOLDER, ...flags], INSTALL_LIMIT_MS);
  if (code !== 0) return { missing: `npm could not install it: ${lastError(stderr)}` };
  bun = await installedBun();
  return bun ?? { missing: `no program of bun ${BUN_VERSION} runs on this machine` };
}

/** The first installed build that runs and has the wanted version. */
async function installedBun() {
  if (!existsSync(PLATFORMS)) return undefined;
  for (const platform of readdirSync(PLATFORMS).sort()) {
    const path = join(PLATFORMS, platform, 'bin', 'bun');
    if (!existsSync(path)) continue;
    const { code, stdout } = await runIfThere(path, ['--version'], ANSWER_LIMIT_MS);
    if (code === 0 && stdout.trim() === BUN_VERSION) return { path, version: BUN_VERSION };
  }
  return undefined;
}

/** As run(), but a program that cannot be started is one that failed. */
async function runIfThere(command, args, limitMs) {
  try {
    return await run(command, args, limitMs);
  } catch (error) {
    return { code: 1, stdout: '', stderr: error.message };
  }
}

function lastError(stderr) {
  const lines = stderr.trim().split('\n');
  return lines.findLast((line) => line.startsWith('npm error') && !line.includes('complete log')) ?? lines.at(-1);
}
