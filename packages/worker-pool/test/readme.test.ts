import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';

test('the example of the README runs as printed', () => {
  const readme = readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-pool-'));
  try {
    const scope = path.dirname(path.dirname(require.resolve('@millrace/worker-pool/package.json')));
    mkdirSync(path.join(folder, 'node_modules', '@millrace'), { recursive: true });
    symlinkSync(path.join(scope, 'worker-pool'), path.join(folder, 'node_modules', '@millrace', 'worker-pool'));
    writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
    for (const [, text, name] of readme.matchAll(/```ts\n(\/\/ ([\w-]+)\.ts\n.*?)```/gs)) {
      const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
      writeFileSync(path.join(folder, `${name}.js`), ts.transpileModule(text!, { compilerOptions }).outputText);
    }
    const output = execFileSync(process.execPath, [path.join(folder, 'main.js')], { encoding: 'utf8' });
    const said = [...readme.matchAll(/console\.log\(.*\); \/\/ (.*)$|console\.log\(error\.code\)\); \/\/ (.*)$/gm)];
    expect(said).toHaveLength(4);
    for (const [, one, other] of said) expect(output).toContain(`${one ?? other}\n`);
    expect(output).toMatch(/^worker \d replaced: stuck$/m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
