// npm run check:types -- FOLDER: compiles the programs in FOLDER (*.ts, ES modules) against the built packages, as a
// user's project would. A program that imports what is not there (a package still to come, or one that is not
// installed here) is left out, and so is one that imports such a program.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { run } from './run.mjs';
import { root } from './workspace.mjs';

const compilerOptions = {
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
  noEmit: true,
};

const isBuiltin = (name) => name.startsWith('node:') || builtinModules.includes(name);
const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

function isThere(specifier) {
  const manifest = path.join(root, 'node_modules', packageOf(specifier), 'package.json');
  if (isBuiltin(specifier)) return true;
  if (!existsSync(manifest)) return false;
  const { types } = JSON.parse(readFileSync(manifest, 'utf8'));
  return !specifier.startsWith('@millrace/') || existsSync(path.join(path.dirname(manifest), types));
}

const importsOf = (text) =>
  [...text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)'([^']+)'/g)].map(([, specifier]) => specifier);

/** What each program that cannot be compiled here lacks, by file name. */
function findLacks(folder, files) {
  const imports = new Map(files.map((file) => [file, importsOf(readFileSync(path.join(folder, file), 'utf8'))]));
  const lacks = new Map();
  for (let before = -1; before !== lacks.size;) {
    before = lacks.size;
    for (const file of files) {
      const lacking = imports.get(file).find((specifier) => {
        if (!specifier.startsWith('.')) return !isThere(specifier);
        return lacks.has(path.normalize(specifier).replace(/\.js$/, '.ts'));
      });
      if (lacking !== undefined && !lacks.has(file)) lacks.set(file, lacking);
    }
  }
  return lacks;
}

const [folder] = process.argv.slice(2);
if (folder === undefined || !existsSync(folder)) {
  process.stderr.write('Usage: npm run check:types -- FOLDER\n');
  process.exit(2);
}
await bootstrap();

const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
const lacks = findLacks(folder, files);
const programs = files.filter((file) => !lacks.has(file));
const project = mkdtempSync(path.join(tmpdir(), 'millrace-types-'));
for (const file of files) cpSync(path.join(folder, file), path.join(project, file));
symlinkSync(path.join(root, 'node_modules'), path.join(project, 'node_modules'));
writeFileSync(path.join(project, 'package.json'), JSON.stringify({ type: 'module' }));
writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: programs }));

for (const [file, lacking] of lacks) console.log(`skip ${file}: ${lacking} is not there`);
const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
const { code } =
  programs.length === 0 ? { code: 0 } : await run(process.execPath, [compiler, '-p', project], { cwd: project });
rmSync(project, { recursive: true });
for (const file of code === 0 ? programs : []) console.log(`ok   ${file}`);
console.log(`${programs.length} programs ${code === 0 ? 'compile' : 'DO NOT compile'}, ${lacks.size} skipped`);
process.exitCode = code === 0 ? 0 : 1;
