'use strict';

const fs = require('node:fs');
const path = require('node:path');
const flags = require('./flags.js');
const { run } = require('./run.js');

/**
 * Compiles the addon's one translation unit with nothing but the compiler and the npm package node-api-headers.
 *
 * @returns an error text, or undefined when it is built
 */
async function buildDirectly(packageRoot, compiler, binary) {
  fs.mkdirSync(path.dirname(binary), { recursive: true });
  // Renamed into place, so that a process that loads it meanwhile sees the old one or the new one.
  const unfinished = `${binary}.${process.pid}`;
  const [command, ...first] = compiler.split(' ');
  const includeDirs = [...flags.includeDirs, require('node-api-headers').include_dir];
  const args = [
    ...first,
    ...flags.compile,
    ...flags.defines.map((define) => `-D${define}`),
    `-DNODE_GYP_MODULE_NAME=${path.basename(binary, '.node')}`,
    ...includeDirs.map((folder) => `-I${folder}`),
    path.join('src', 'binding.cc'),
    ...flags.link,
    '-shared',
    '-o',
    unfinished,
  ];
  const result = await run(command, args, { cwd: packageRoot });
  if (result.code === 0) fs.renameSync(unfinished, binary);
  else fs.rmSync(unfinished, { force: true });
  return result.code === 0 ? undefined : result.output;
}

module.exports = { buildDirectly };
