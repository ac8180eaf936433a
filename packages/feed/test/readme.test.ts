import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

test('the example of the README runs as printed', () => {
  const readme = readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-feed-'));
  try {
    const scope = path.dirname(path.dirname(require.resolve('@millrace/feed/package.json')));
    mkdirSync(path.join(folder, 'node_modules', '@millrace'), { recursive: true });
    symlinkSync(path.join(scope, 'feed'), path.join(folder, 'node_modules', '@millrace', 'feed'));
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
    for (const [, text, name] of readme.matchAll(/```ts\n(\/\/ ([\w-]+)\.ts\n.*?)```/gs)) {
      const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      writeFileSync(path.join(folder, `${name}.js`), ts.transpileModule(text!, { compilerOptions }).outputText);
    }
    const output = execFileSync(process.execPath, [path.join(folder, 'main.js')], { encoding: 'utf8' });
    expect(output).toContain('[ 30097, 30098, 30099 ]');
    expect(output).toContain('offered: 30000');
    expect(output).toContain('inFlight: 0');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
