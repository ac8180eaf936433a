import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { codedError, loadAddon } from '@millrace/native';

let folder: string;

function makePackage(...parents: string[]): string {
  const root = path.join(folder, ...parents, 'nothing');
  mkdirSync(root, { recursive: true });
  writeFileSync(path.join(root, 'package.json'), '{ "name": "@millrace/nothing" }');
  return root;
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-load-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('loadAddon', () => {
  it('names the command that cures a missing binary of an installed package', () => {
    const error = errorOf(() => loadAddon(makePackage('node_modules', '@millrace')));
    expect(error).toMatchObject({ code: 'ERR_ADDON_NOT_BUILT', cause: expect.any(Error) });
    expect((error as Error).message).toMatch(
      /npm install-scripts approve @millrace\/nothing && npm rebuild @millrace\/nothing/,
    );
  });

  it('names the build command in a clone of the repository', () => {
    expect(errorOf(() => loadAddon(makePackage('packages')))).toMatchObject({
      code: 'ERR_ADDON_NOT_BUILT',
      message: expect.stringContaining('npm run build'),
    });
  });

  it('says what is wrong with a binary that does not load', () => {
    const root = makePackage('packages');
    mkdirSync(path.join(root, 'build', 'Release'), { recursive: true });
    writeFileSync(path.join(root, 'build', 'Release', 'millrace_nothing.node'), 'not a library');
    expect(errorOf(() => loadAddon(root))).toMatchObject({
      code: 'ERR_ADDON_NOT_BUILT',
      message: expect.stringMatching(/millrace_nothing\.node: (file too short|invalid ELF header)/),
    });
  });

  it('refuses a platform other than Linux by its own code', () => {
    const real = Object.getOwnPropertyDescriptor(process, 'platform') as PropertyDescriptor;
    Object.defineProperty(process, 'platform', { ...real, value: 'darwin' });
    try {
      expect(errorOf(() => loadAddon(makePackage('packages')))).toMatchObject({ code: 'ERR_UNSUPPORTED_PLATFORM' });
    } finally {
      Object.defineProperty(process, 'platform', real);
    }
  });
});

describe('codedError', () => {
  it('makes an error of the class asked for, with code, cause and other properties', () => {
    const cause = new Error('first');
    const error = codedError('ERR_SLAB_EXHAUSTED', 'full', { ErrorType: RangeError, cause, maxBytes: 64 });
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ERR_SLAB_EXHAUSTED', message: 'full', cause, maxBytes: 64 });
  });

  it('has no cause property unless one is given', () => {
    expect(Object.hasOwn(codedError('ERR_X', 'x'), 'cause')).toBe(false);
  });
});
