'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { run } = require('./run.js');

/** The prefix whose include/node belongs to the running Node: node-gyp then downloads nothing. */
function localHeaders() {
  const prefix = path.resolve(process.execPath, '..', '..');
  try {
    const text = fs.readFileSync(path.join(prefix, 'include', 'node', 'node_version.h'), 'utf8');
    const number = (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1];
    const version = `v${number('MAJOR')}.${number('MINOR')}.${number('PATCH')}`;
    return version === process.version ? prefix : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Builds by node-gyp, which also needs make and Python.
 *
 * @returns an error text, or undefined when it is built
 */
async function buildWithNodeGyp(packageRoot, compiler) {
  const nodeDir = localHeaders();
  if (nodeDir === undefined) return 'the headers of this Node are not beside it';
  const script = require.resolve('node-gyp/bin/node-gyp.js');
  const args = [script, 'rebuild', '--release', `--nodedir=${nodeDir}`];
  const result = await run(process.execPath, args, { cwd: packageRoot, env: { ...process.env, CXX: compiler } });
  return result.code === 0 ? undefined : result.output;
}

module.exports = { buildWithNodeGyp };
