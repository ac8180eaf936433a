'use strict';

const fs = require('node:fs');
const path = require('node:path');
const resolveBinary = require('node-gyp-build').resolve;
const { codedError } = require('../coded-error.js');
const { findCompiler, missingCompiler } = require('./compiler.js');
const { buildDirectly } = require('./direct.js');
const { fingerprint } = require('./fingerprint.js');
const { withLock } = require('./lock.js');
const { buildWithNodeGyp } = require('./node-gyp.js');
const { run } = require('./run.js');

const tryBinary = (file) => run(process.execPath, ['-e', 'require(process.argv[1])', file]);

function shippedBinary(packageRoot) {
  try {
    return resolveBinary(packageRoot);
  } catch {
    return undefined;
  }
}

/** Whether a binary loads that was built from what `wanted` is the fingerprint of, or that the package was shipped with. */
async function isFresh(packageRoot, binary, stamp, wanted) {
  if (fs.existsSync(stamp)) {
    return fs.readFileSync(stamp, 'utf8') === wanted && (await tryBinary(binary)).code === 0;
  }
  const shipped = fs.existsSync(binary) ? undefined : shippedBinary(packageRoot);
  return shipped !== undefined && (await tryBinary(shipped)).code === 0;
}

/** Answers by which means it was compiled. */
async function compile(name, packageRoot, binary) {
  const compiler = findCompiler();
  if (compiler === undefined) throw codedError('ERR_COMPILER_MISSING', missingCompiler);
  if ((await buildWithNodeGyp(packageRoot, compiler)) === undefined && fs.existsSync(binary)) return 'node-gyp';
  const failure = await buildDirectly(packageRoot, compiler, binary);
  if (failure !== undefined) throw codedError('ERR_BUILD_FAILED', `${name} did not compile:\n${failure}`);
  return compiler;
}

/**
 * Builds the addon of the package in `packageRoot` unless a binary is there that loads and is made of the same sources:
 * by node-gyp if Node's headers lie beside it, else by a direct call of the compiler. Nothing is downloaded.
 *
 * @param log - called with one line when it starts to compile and one when it has
 * @returns 'fresh', 'built', or 'empty' if the package has no src/binding.cc
 * @throws Error ERR_COMPILER_MISSING, ERR_BUILD_FAILED; the message's first line says what is wrong
 */
async function buildAddon(packageRoot, { log = () => {}, force = false } = {}) {
  const { name } = JSON.parse(fs.readFileSync(path.join(packageRoot, 'package.json'), 'utf8'));
  return withLock(packageRoot, async () => {
    const target = `millrace_${name.slice(name.indexOf('/') + 1).replaceAll('-', '_')}`;
    const binary = path.join(packageRoot, 'build', 'Release', `${target}.node`);
    const stamp = path.join(packageRoot, 'build', 'stamp');

    if (!fs.existsSync(path.join(packageRoot, 'src', 'binding.cc'))) {
      log(`${name}: no src/binding.cc, nothing to compile`);
      return 'empty';
    }
    const wanted = fingerprint(packageRoot);
    if (!force && (await isFresh(packageRoot, binary, stamp, wanted))) return 'fresh';

    log(`${name}: compiling src/binding.cc`);
    const start = process.hrtime.bigint();
    fs.rmSync(stamp, { force: true });
    const means = await compile(name, packageRoot, binary);
    const attempt = await tryBinary(binary);
    if (attempt.code !== 0) {
      throw codedError('ERR_BUILD_FAILED', `${name} compiled, but does not load:\n${attempt.output}`);
    }
    fs.writeFileSync(stamp, wanted);
    log(`${name}: built in ${(Number(process.hrtime.bigint() - start) / 1e9).toFixed(1)} s with ${means}`);
    return 'built';
  });
}

module.exports = { buildAddon };
