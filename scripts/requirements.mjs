// What the machine must have before anything is installed. Requires nothing that npm brings. Every module
// that a script imports must load on old Nodes, or the script would end in a stack trace instead of this answer.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { packages } from './workspace.mjs';

const { findCompiler, missingCompiler } = createRequire(import.meta.url)('../native/lib/compile/compiler.js');

/** The one line that says what is missing and how to get it; undefined if nothing is. */
export function missingRequirement() {
  if (process.platform !== 'linux') {
    return `Millrace runs on Linux only, and this is ${process.platform}: run it in a Linux container or virtual machine.`;
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    return `Node.js 20.19 or newer is missing (this is ${process.version}): get it from https://nodejs.org or by "nvm install 22".`;
  }
  const allBuilt = packages().every(({ folder }) => existsSync(path.join(folder, 'build', 'stamp')));
  return allBuilt || findCompiler() !== undefined ? undefined : missingCompiler;
}

/** Ends the process if something is missing. */
export function checkRequirements() {
  const missing = missingRequirement();
  if (missing === undefined) return;
  process.stderr.write(`${missing}\n`);
  process.exit(1);
}
