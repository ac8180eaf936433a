// What lies where in this repository.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const nativeFolder = path.join(root, 'native');

/** A workspace: its directory name, its folder and its package.json. */
export const workspace = (directory, folder) => ({
  directory,
  folder,
  manifest: JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')),
});

/** The workspaces under packages/, in the order of their names. */
export function packages() {
  const parent = path.join(root, 'packages');
  return readdirSync(parent)
    .sort()
    .map((directory) => [directory, path.join(parent, directory)])
    .filter(([, folder]) => existsSync(path.join(folder, 'package.json')))
    .map(([directory, folder]) => workspace(directory, folder));
}
