// What lies where in this repository.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const nativeFolder = path.join(root, 'native');

/** The packages, each with its folder, its directory name and its package.json. */
export function packages() {
  const parent = path.join(root, 'packages');
  return readdirSync(parent)
    .sort()
    .map((directory) => ({ directory, folder: path.join(parent, directory) }))
    .filter(({ folder }) => existsSync(path.join(folder, 'package.json')))
    .map((entry) => ({ ...entry, manifest: JSON.parse(readFileSync(path.join(entry.folder, 'package.json'), 'utf8')) }));
}
