#!/usr/bin/env node
'use strict';

const path = require('node:path');
const { buildAddon } = require('../lib/compile/build-addon.js');

const usage = `Usage: millrace-native build [--force] [FOLDER]

Compiles the addon of the package in FOLDER (default: the working directory) unless a fresh one is there.
`;

async function main([command, ...args]) {
  const folders = args.filter((arg) => arg !== '--force');
  if (command !== 'build' || folders.length > 1 || folders.some((folder) => folder.startsWith('-'))) {
    process.stderr.write(usage);
    return 2;
  }
  if (process.platform !== 'linux') {
    // Not a failure: a project that only uses Millrace on its servers still installs on a laptop.
    process.stderr.write(`Millrace runs on Linux only, and this is ${process.platform}: nothing to compile.\n`);
    return 0;
  }
  try {
    await buildAddon(path.resolve(folders[0] ?? '.'), { force: args.includes('--force'), log: console.log });
    return 0;
  } catch (error) {
    process.stderr.write(`${error.code?.startsWith('ERR_') ? error.message : error.stack}\n`);
    return 1;
  }
}

main(process.argv.slice(2)).then((code) => (process.exitCode = code));
