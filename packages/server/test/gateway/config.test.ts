import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig, spellConfig, usage } from '../../dist/gateway/config.js';
import { options } from '../../dist/gateway/options.js';
import { formatBytes, parseDuration, parseSize } from '../../dist/gateway/units.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(content: string): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, content);
  return path;
}

test('without anything said, everything has a value', () => {
  const { config } = readConfig([], {});
  expect(config).toMatchObject({ host: '127.0.0.1', port: 6390, adminPort: 8090, topology: 'auto', speed: 1 });
  expect(config).toMatchObject({ maxMemoryBytes: 256 * 1024 ** 2, idleTimeoutMs: 300_000, logLevel: 'info' });
  expect(config.feed).toEqual({ kind: 'synthetic', perSecond: 20_000 });
  expect(config.workers).toBeGreaterThanOrEqual(1);
});

test('a flag comes before the environment, the environment before the file, the file before the default', () => {
  const path = file(JSON.stringify({ port: 1, 'admin-port': 'off', host: '0.0.0.0', speed: 'max' }));
  const environment = { MILLRACE_PORT: '2', MILLRACE_ADMIN_PORT: '12', MILLRACE_CONFIG: path };
  const { config } = readConfig(['--port', '3'], environment);
  expect(config).toMatchObject({ port: 3, adminPort: 12, host: '0.0.0.0', speed: Infinity, topology: 'auto' });
});

test('every value can be spelled and read again', () => {
  const argv = ['--port=0', '--admin-port=off', '--feed=synthetic:7', '--speed=max', '--idle-timeout=0', '--workers=0'];
  const { config } = readConfig(argv, {});
  const path = file(JSON.stringify(spellConfig(config)));
  expect(readConfig(['--config', path], {}).config).toEqual(config);
});

test.each([
  [['--port', '99999'], /^--port must be a port, 0 to 65535, not '99999'$/],
  [['--port', ''], /^--port must be/],
  [['--workers', '1.5'], /^--workers must be a number of threads/],
  [['--topology', 'ring'], /^--topology must be auto or staged .*, not 'ring'$/],
  [['--topology', 'reactor'], /^--topology must be auto or staged \(reactor and inline are not there yet\), not/],
  [['--feed', 'synthetic:0'], /^--feed must be synthetic:RATE/],
  [['--feed', 'synthetic:x'], /^--feed must be/],
  [['--feed', 'file:'], /^--feed must be/],
  [['--feed', '/dev/null'], /^--feed must be/],
  [['--feed', 'file:/nowhere/a.gz'], /^cannot read the feed's file '\/nowhere\/a.gz': no such file or directory$/],
  [['--feed', 'file:/'], /^cannot read the feed's file '\/': not a regular file$/],
  [['--speed', '0'], /^--speed must be a factor/],
  [['--max-memory', '1mb'], /^--max-memory must be a size from 64mb to 4gb, not '1mb'$/],
  [['--idle-timeout', '5'], /^--idle-timeout must be a time such as/],
  [['--log-level', 'loud'], /^--log-level must be/],
  [['--nonsense'], /^Unknown option '--nonsense' \(millrace-server --help lists the options\)$/],
  [['--port'], /^Option '--port <value>' argument missing/],
  [['file.gz'], /^Unexpected argument 'file.gz'/],
  [['--config', '/nowhere'], /^cannot read the configuration file '\/nowhere': no such file or directory$/],
])('%j is refused in one line', (argv, message) => {
  expect(() => readConfig(argv, {})).toThrow(expect.objectContaining({ name: 'StartError' }));
  expect(() => readConfig(argv, {})).toThrow(message);
  expect(() => readConfig(argv, {})).not.toThrow(/\n/);
});

test.each([
  ['{', /^cannot read the configuration file/],
  ['[]', /must hold a JSON object$/],
  ['{"prot": 1}', /there is no option 'prot'$/],
  ['{"port": true}', /'port' must be a port, 0 to 65535, not true$/],
  ['{"port": -1}', /'port' must be a port, 0 to 65535, not '-1'$/],
])('a configuration file of %s is refused', (content, message) => {
  expect(() => readConfig(['--config', file(content)], {})).toThrow(message);
});

test('a value from the environment is named as it is there', () => {
  expect(() => readConfig([], { MILLRACE_IDLE_TIMEOUT: 'x' })).toThrow(/^MILLRACE_IDLE_TIMEOUT must be a time/);
});

test('help names every option', () => {
  for (const { flag } of options) expect(usage()).toContain(`--${flag} `);
});

test('durations and sizes', () => {
  expect(['0', '500ms', '30s', '5m', '1.5h'].map(parseDuration)).toEqual([0, 500, 30_000, 300_000, 5_400_000]);
  expect(['5', 's', '-1s', '1d'].map(parseDuration)).toEqual([undefined, undefined, undefined, undefined]);
  expect(['1024', '1kb', '256MB', '1.5gb'].map(parseSize)).toEqual([1024, 1024, 2 ** 28, 1.5 * 2 ** 30]);
  expect(['', '1tb', '-1', '1 mb'].map(parseSize)).toEqual([undefined, undefined, undefined, undefined]);
  expect([512, 2 ** 20, 1.5 * 2 ** 30].map(formatBytes)).toEqual(['512 B', '1.0 MiB', '1.5 GiB']);
});
