import { spawnSync } from 'node:child_process';

/**
 * A peer that comes as a Debian package, which the benchmark does not install: a C++ bench links or loads what it finds.
 *
 * @param {string} name – as the table shows it
 * @param {string} debianPackage
 * @param {number[] | undefined} samples – what the bench measured, if it found it
 * @returns {{ name: string, samples?: number[], missing?: string }} a peer for a row of comparison.mjs
 */
export function debianPeer(name, debianPackage, samples) {
  return samples === undefined ? { name, missing: `sudo apt-get install ${debianPackage}` } : { name, samples };
}

/** The installed version of a Debian package; undefined where there is none, or no dpkg. */
export function debianVersion(debianPackage) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f=${db:Status-Status} ${Version}', debianPackage], {
    encoding: 'utf8',
  });
  return status === 0 && stdout.startsWith('installed ') ? stdout.slice('installed '.length) : undefined;
}
