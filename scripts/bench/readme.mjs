import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../workspace.mjs';

/**
 * Puts a benchmark's text between its markers in the package's README; where there are none a section is added at the
 * end.
 *
 * @param {string} name – of the package's folder, and of the markers
 * @returns {string} the README's path
 */
export function writeReadme(name, text) {
  const file = path.join(root, 'packages', name, 'README.md');
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const old = readFileSync(file, 'utf8');
  const from = old.indexOf(begin);
  const to = old.indexOf(end, from);
  if (from < 0 !== to < 0) throw new Error(`${file}: ${begin} and ${end} belong together, one is missing`);
  const section = `${begin}\n\n${text}\n\n${end}`;
  const updated =
    from < 0
      ? `${old.trimEnd()}\n\n## Measured\n\nBy \`npm run bench -- ${name} --write-readme\`.\n\n${section}\n`
      : old.slice(0, from) + section + old.slice(to + end.length);
  writeFileSync(file, updated);
  return file;
}
