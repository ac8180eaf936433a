// How an addon is compiled: the one definition, for every binding.gyp and for the direct build.
'use strict';

const path = require('node:path');
const { includeDir } = require('../paths.js');

module.exports = {
  includeDirs: [includeDir, path.dirname(require.resolve('node-addon-api'))],
  defines: [
    'NAPI_VERSION=8',
    'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
    'NODE_ADDON_API_DISABLE_DEPRECATED',
    // A thread that is terminated inside of an addon's function can be thrown nothing: without this, node-addon-api
    // ends the process for it.
    'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  ],
  compile: [
    ...['-std=c++20', '-O2', '-fPIC', '-pthread', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'],
    ...['-Wall', '-Wextra'],
  ],
  // An addon first loaded by a worker thread would be unmapped when that worker ends, under its own native threads.
  link: ['-pthread', '-Wl,-z,nodelete'],
};
