'use strict';

const fs = require('node:fs');
const path = require('node:path');
const resolveBinary = require('node-gyp-build').resolve;
const { codedError } = require('./coded-error.js');

// node_modules/@millrace/x is how a user's project sees a package; in a clone of the repository it is packages/x.
function cureFor(packageRoot, name) {
  const installed = packageRoot.split(path.sep).includes('node_modules');
  if (!installed) return 'Run "npm run build" in the root of the repository.';
  return (
    `Run "npm install-scripts approve ${name} && npm rebuild ${name}" (npm 12 and later run no install scripts unless ` +
    `approved), or "npx millrace-native build" in ${packageRoot}. It needs a C++20 compiler: "apt-get install g++" on Debian and Ubuntu.`
  );
}

function loadAddon(packageRoot) {
  const { name } = JSON.parse(fs.readFileSync(path.join(packageRoot, 'package.json'), 'utf8'));
  if (process.platform !== 'linux') {
    throw codedError(
      'ERR_UNSUPPORTED_PLATFORM',
      `${name} runs on Linux only, and this is ${process.platform}. Run it in a Linux container or virtual machine.`,
    );
  }
  try {
    return require(resolveBinary(packageRoot));
  } catch (cause) {
    const reason = cause.message.split('\n', 1)[0];
    const message = `The native part of ${name} did not load: ${reason}. ${cureFor(packageRoot, name)}`;
    throw codedError('ERR_ADDON_NOT_BUILT', message, { cause });
  }
}

module.exports = { loadAddon };
