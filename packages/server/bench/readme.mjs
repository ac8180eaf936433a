import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const README = fileURLToPath(new URL('../README.md', import.meta.url));
const BEGIN = '<!-- bench:server -->';
const END = '<!-- /bench:server -->';

/** Puts the text between the markers; where there are none a section is added at the end. @returns {string} the path */
export function writeReadme(text, path = README) {
  const old = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const section = `${BEGIN}\n\n${text}\n\n${END}`;
  const begin = old.indexOf(BEGIN);
  const end = old.indexOf(END, begin);
  if (begin < 0 !== end < 0) throw new Error(`${path}: ${BEGIN} and ${END} belong together, one is missing`);
  const heading = old === '' ? '' : `${old.trimEnd()}\n\n`;
  const updated =
    begin < 0
      ? `${heading}## Measured\n\nBy \`npm run bench -- server --write-readme\`.\n\n${section}\n`
      : old.slice(0, begin) + section + old.slice(end + END.length);
  writeFileSync(path, updated);
  return path;
}
