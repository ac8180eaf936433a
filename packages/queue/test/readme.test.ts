import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

test('the example of the README prints what it says', () => {
  const readme = readFileSync(path.join(__dirname, '../README.md'), 'utf8');
  const [, example] = /^```ts\n(.*?)^```/ms.exec(readme)!;
  const said = [...example!.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, output]) => output);
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-readme-'));
  try {
    symlinkSync(path.join(__dirname, '../../../node_modules'), path.join(folder, 'node_modules'));
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    writeFileSync(path.join(folder, 'example.mjs'), ts.transpileModule(example!, { compilerOptions }).outputText);
    const output = execFileSync(process.execPath, [path.join(folder, 'example.mjs')], { encoding: 'utf8' });
    expect(said.length).toBeGreaterThan(0);
    expect(output.trim().split('\n')).toEqual(said);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
