import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../../scripts/bench/processes.mjs';

const SOURCES = fileURLToPath(new URL('../../../native/bench/load/', import.meta.url));
const OUTPUT = fileURLToPath(new URL('./.build/', import.meta.url));
const PROGRAMS = { load: 'load.cc', epollServer: 'epoll_server.cc' };
const FLAGS = ['-std=c++20', '-O2', '-Wall', '-Wextra'];
const LIMIT_MS = 300_000;

/**
 * Compiles the load generator and the C++ peer where they are missing or older than their sources, compiler or flags.
 *
 * @returns {Promise<{ load: string, epollServer: string, compiler: string }>} paths, and the compiler's first line
 */
export async function buildNative(say) {
  const command = process.env.CXX ?? 'c++';
  const compiler = await compilerVersion(command);
  const hash = createHash('sha256').update(JSON.stringify([command, compiler, FLAGS]));
  for (const name of readdirSync(SOURCES).sort()) hash.update(name).update(readFileSync(join(SOURCES, name)));
  const stamp = hash.digest('hex');
  const stampFile = join(OUTPUT, 'stamp');
  const paths = Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, join(OUTPUT, name)]));

  if (readIfThere(stampFile) !== stamp) {
    rmSync(OUTPUT, { recursive: true, force: true });
    mkdirSync(OUTPUT, { recursive: true });
    for (const [name, source] of Object.entries(PROGRAMS)) {
      say(`compiling ${source}`);
      const { code, stderr } = await run(command, [...FLAGS, '-o', paths[name], join(SOURCES, source)], LIMIT_MS);
      if (code !== 0) throw new Error(`${command} could not compile ${join(SOURCES, source)}:\n${stderr}`);
    }
    writeFileSync(stampFile, stamp);
  }
  return { ...paths, compiler };
}

async function compilerVersion(command) {
  try {
    return (await run(command, ['--version'], LIMIT_MS)).stdout.split('\n')[0];
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    throw new Error(
      `The benchmark needs a C++20 compiler and found no ${command}: install one (Debian: apt install g++) or set CXX.`,
    );
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  }
}
