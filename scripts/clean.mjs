// npm run clean: removes what was built; what npm installed stays.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { nativeFolder, packages } from './workspace.mjs';

const folders = packages().flatMap(({ folder }) => ['build', 'dist'].map((name) => path.join(folder, name)));
for (const folder of [...folders, path.join(nativeFolder, 'build')]) rmSync(folder, { recursive: true, force: true });
