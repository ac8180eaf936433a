// The example of a README as a program: its first block of TypeScript or JavaScript is the main module. A block whose
// first line is a comment with a file name (`// worker.ts`) is written under that name, so that it can be imported.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';

const serverStaysUpMs = 5_000;

/** Writes the example's files into `folder`; answers the main one's name, or undefined if there is no example. */
export function writeExample(markdown, folder) {
  const blocks = [...markdown.matchAll(/^```(?:ts|typescript|js|javascript|mjs)\b[^\n]*\n(.*?)^```/gms)].map(
    ([, text]) => {
      const name = /^\/\/ ([\w-]+)\.[mc]?[jt]s\b/.exec(text)?.[1];
      return { name, text };
    },
  );
  if (blocks.length === 0) return undefined;
  mkdirSync(folder);
  const main = blocks[0].name ?? 'example';
  blocks.forEach(({ name, text }, index) => {
    if (index === 0 || name !== undefined) writeFileSync(path.join(folder, `${name ?? main}.ts`), text);
  });
  return main;
}

/** Compiles the example against the installed packages and runs it. A server, which does not end by itself, is ended. */
export async function runExample(folder, main, env) {
  const compiler = path.join(folder, '..', 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,esnext.disposable'];
  const args = [compiler, ...options, '--types', 'node', '--skipLibCheck', `${main}.ts`];
  const compiled = await run(process.execPath, args, { cwd: folder, capture: true, env });
  return compiled.code === 0 ? runUntilQuiet(folder, `${main}.js`, env) : compiled;
}

function runUntilQuiet(folder, file, env) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], { cwd: folder, env: { ...process.env, ...env } });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    let stayedUp = false;
    const timer = setTimeout(() => {
      stayedUp = true;
      child.kill('SIGTERM');
    }, serverStaysUpMs);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code === 0 || (stayedUp && signal === 'SIGTERM') ? 0 : 1,
        output: output || `ended by ${signal}`,
      });
    });
  });
}
