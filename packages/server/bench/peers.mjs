import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { npmPeers } from '../../../scripts/bench/npm-peers.mjs';
import { runIfThere } from '../../../scripts/bench/processes.mjs';

const BUN_VERSION = '1.4.5';
const ANSWER_LIMIT_MS = 20_000;

/**
 * Bun, from its npm package. Its program is in the optional package of the platform and is used from there: the main
 * package's install script, which would link it, need not run.
 *
 * @returns {Promise<{ path: string, version: string } | { missing: string }>}
 */
export async function findBun(say) {
  const { bun } = await npmPeers({ bun: BUN_VERSION }, { say });
  if (bun.missing !== undefined) return { missing: bun.missing };
  return (await programOf(bun)) ?? { missing: `no program of bun ${BUN_VERSION} runs on this machine` };
}

/** The first build for a platform that runs here and has the wanted version. */
async function programOf({ folder, version }) {
  const platforms = path.join(folder, '..', '@oven');
  if (!existsSync(platforms)) return undefined;
  for (const platform of readdirSync(platforms).sort()) {
    const program = path.join(platforms, platform, 'bin', 'bun');
    if (!existsSync(program)) continue;
    const { code, stdout } = await runIfThere(program, ['--version'], ANSWER_LIMIT_MS);
    if (code === 0 && stdout.trim() === version) return { path: program, version };
  }
  return undefined;
}
