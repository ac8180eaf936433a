import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { loadAddon } from '@millrace/native';

const command = path.resolve(__dirname, '..', '..', 'bin', 'millrace-native.js');
const limitMs = 120_000;

// As short as an addon can be: node-addon-api would take most of the test's time to compile.
const source = (answer: number): string => `#include <node_api.h>
#include <millrace/base/cache_line.h>
NAPI_MODULE_INIT() {
  napi_value answer;
  napi_create_uint32(env, ${answer}, &answer);
  napi_set_named_property(env, exports, "answer", answer);
  return exports;
}
`;

const gyp = `{ "targets": [{
  "target_name": "millrace_tiny_addon",
  "sources": ["src/binding.cc"],
  "include_dirs": ["<!@(node -p \\"require('@millrace/native/gyp').includeDirs\\")"],
  "defines": ["<!@(node -p \\"require('@millrace/native/gyp').defines\\")"],
  "cflags_cc": ["<!@(node -p \\"require('@millrace/native/gyp').compile\\")"],
  "ldflags": ["<!@(node -p \\"require('@millrace/native/gyp').link\\")"]
}] }
`;

let folder: string;
let root: string;
const binary = (): string => path.join(root, 'build', 'Release', 'millrace_tiny_addon.node');

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const build = (env: NodeJS.ProcessEnv = {}, node: string = process.execPath, ...options: string[]): Outcome =>
  spawnSync(node, [command, 'build', ...options, root], { encoding: 'utf8', env: { ...process.env, ...env } });

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-build-'));
  root = path.join(folder, 'tiny-addon');
  mkdirSync(path.join(root, 'src'), { recursive: true });
  mkdirSync(path.join(folder, 'node_modules', '@millrace'), { recursive: true });
  symlinkSync(path.resolve(__dirname, '..', '..'), path.join(folder, 'node_modules', '@millrace', 'native'));
  writeFileSync(path.join(root, 'package.json'), '{ "name": "@millrace/tiny-addon" }');
  writeFileSync(path.join(root, 'binding.gyp'), gyp);
  writeFileSync(path.join(root, 'src', 'binding.cc'), source(1));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('millrace-native build', () => {
  it(
    'builds what loads, leaves it alone while it is fresh, and builds again what changed',
    () => {
      expect(build()).toMatchObject({ status: 0, stdout: expect.stringMatching(/compiling.*\n.*built in .* with/) });
      expect(loadAddon(root)).toEqual({ answer: 1 });
      const { mtimeMs } = statSync(binary());

      expect(build()).toMatchObject({ status: 0, stdout: '' });
      expect(statSync(binary()).mtimeMs).toBe(mtimeMs);

      writeFileSync(path.join(root, 'src', 'binding.cc'), source(2));
      expect(build()).toMatchObject({ status: 0, stdout: expect.stringContaining('compiling') });
      expect(statSync(binary()).mtimeMs).toBeGreaterThan(mtimeMs);
    },
    limitMs,
  );

  it(
    'compiles directly for a Node whose headers do not lie beside it',
    () => {
      const node = path.join(folder, 'bin', 'node');
      mkdirSync(path.dirname(node));
      copyFileSync(process.execPath, node);
      const { status, stdout } = build({}, node);
      expect(stdout).toMatch(/built in .* with (?!node-gyp)/);
      expect(status).toBe(0);
      expect(loadAddon(root)).toEqual({ answer: 1 });
    },
    limitMs,
  );

  it(
    'shows what the compiler says of a mistake, once',
    () => {
      writeFileSync(path.join(root, 'src', 'binding.cc'), '#error "a mistake"\n');
      const { status, stderr } = build();
      expect(status).toBe(1);
      expect(stderr.split('\n', 1)[0]).toBe('@millrace/tiny-addon did not compile:');
      expect(stderr.match(/error: #error "a mistake"/g)).toHaveLength(1);
    },
    limitMs,
  );

  it(
    'compiles once when two processes ask for it at a time',
    async () => {
      const start = (): Promise<{ stdout: string }> => promisify(execFile)(process.execPath, [command, 'build', root]);
      const outputs = await Promise.all([start(), start()]);
      expect(outputs.filter(({ stdout }) => stdout.includes('compiling'))).toHaveLength(1);
      expect(loadAddon(root)).toEqual({ answer: 1 });
    },
    limitMs,
  );

  it('says in its first line that the compiler is missing, and how to get one', () => {
    const { status, stderr } = build({ CXX: 'no-such-compiler' });
    expect(status).toBe(1);
    expect(stderr.split('\n', 1)[0]).toMatch(/^A C\+\+20 compiler is missing .* "sudo apt-get install g\+\+"/);
  });

  it('does nothing for a package without native code', () => {
    rmSync(path.join(root, 'src', 'binding.cc'));
    expect(build()).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing to compile') });
  });

  it('answers a wrong call with its usage and exit code 2', () => {
    const { status, stderr } = build({}, process.execPath, '--what');
    expect([status, stderr.split('\n', 1)[0]]).toEqual([2, 'Usage: millrace-native build [--force] [FOLDER]']);
  });
});
