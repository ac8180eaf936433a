// Finds a C++20 compiler. Requires nothing but Node, so that it also serves before anything is installed.
'use strict';

const { spawnSync } = require('node:child_process');

const probe = `#include <atomic>
#include <bit>
#include <concepts>
#include <span>
static_assert(__cplusplus >= 202002L);
static_assert(std::bit_ceil(5u) == 8u);
template <std::integral T> T same(T value) { return value; }
int main() { int x[1] = {}; return same(std::span<int>(x)[0]); }
`;

const candidates = ['c++', 'g++', 'clang++', ...[14, 13, 12, 11, 10].map((version) => `g++-${version}`)];

const missingCompiler =
  'A C++20 compiler is missing (g++ 10 or clang++ 12, or newer). Install it with "sudo apt-get install g++" ' +
  '(Debian, Ubuntu), "sudo dnf install gcc-c++" (Fedora) or "apk add g++" (Alpine), or name it in CXX.';

let found;

/** The first of $CXX, c++, g++, clang++, g++-N that compiles C++20; undefined if there is none. */
function findCompiler() {
  if (found === undefined) {
    const names = process.env.CXX ? [process.env.CXX] : candidates;
    found = names.find((name) => {
      const [command, ...args] = name.split(' ');
      const flags = [...args, '-std=c++20', '-fsyntax-only', '-x', 'c++', '-'];
      return spawnSync(command, flags, { input: probe, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
    });
  }
  return found;
}

module.exports = { findCompiler, missingCompiler };
