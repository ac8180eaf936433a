'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { includeDir } = require('../paths.js');
const flags = require('./flags.js');

function filesUnder(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** A hash of everything that an addon is made of: its sources, the core's headers, the flags, the machine. */
function fingerprint(packageRoot) {
  const hash = crypto.createHash('sha256');
  const { includeDirs: _, ...portable } = flags;
  hash.update(JSON.stringify([portable, process.arch, require('node-addon-api/package.json').version]));
  const sources = filesUnder(path.join(packageRoot, 'src')).filter((file) => /\.(cc|h)$/.test(file));
  for (const file of [path.join(packageRoot, 'binding.gyp'), ...sources, ...filesUnder(includeDir)]) {
    hash.update(`\0${path.basename(file)}\0`).update(fs.readFileSync(file));
  }
  return hash.digest('hex');
}

module.exports = { fingerprint };
