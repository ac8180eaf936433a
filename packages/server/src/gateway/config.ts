import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { getSystemErrorMap, parseArgs, type ParseArgsConfig } from 'node:util';
import { environmentName, options, type Config, type Option } from './options.js';

/** Something the person who started the gateway can put right: shown as one line, exit code 2. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** What to do besides, or instead of, running. */
export interface Invocation {
  readonly config: Config;
  readonly check: boolean;
  readonly printConfig: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

type Texts = ReadonlyMap<string, { readonly text: string; readonly from: string }>;

const SWITCHES = {
  check: 'check the configuration and exit',
  'print-config': 'print the configuration in effect as JSON and exit',
  help: 'print this and exit',
  version: 'print the version and exit',
} as const;

/** Reads flags, environment and file, in this order of precedence. Throws StartError. */
export function readConfig(argv: readonly string[], environment: NodeJS.ProcessEnv): Invocation {
  const flags = readFlags(argv);
  const file = flags.config ?? environment[environmentName('config')];
  const config = merge([textsOfFlags(flags), textsOfEnvironment(environment), textsOfFile(file)]);
  const invocation = {
    config,
    check: flags.check === true,
    printConfig: flags['print-config'] === true,
    help: flags.help === true,
    version: flags.version === true,
  };
  if (!invocation.help && !invocation.version && config.feed.kind === 'file') assertReadable(config.feed.path);
  return invocation;
}

/** The configuration as the flags and the configuration file spell it. */
export function spellConfig(config: Config): Record<string, string | number> {
  const { feed } = config;
  const spelled: Record<string, string | number> = {};
  for (const { name, flag } of options) {
    const value = config[name];
    spelled[flag] = typeof value === 'object' ? '' : value === undefined ? 'off' : value;
  }
  spelled.feed =
    feed.kind === 'none' ? 'none' : feed.kind === 'file' ? `file:${feed.path}` : `synthetic:${feed.perSecond}`;
  spelled.speed = config.speed === Infinity ? 'max' : config.speed;
  spelled['idle-timeout'] = config.idleTimeoutMs === 0 ? '0' : `${config.idleTimeoutMs}ms`;
  return spelled;
}

export function usage(): string {
  const rows = options.map(({ flag, value, help, fallback }) => [`--${flag} ${value}`, `${help} (${fallback})`]);
  const switches = Object.entries(SWITCHES).map(([name, help]) => [`--${name}`, help]);
  const lines = [...rows, ['--config FILE', 'JSON file with any of these, by name'], ...switches];
  return [
    'Usage: millrace-server [options]',
    ...lines.map(([name, help]) => `  ${name!.padEnd(24)}${help}`),
    'Each option can also be set in the environment, as MILLRACE_PORT for --port. Flags come first, then the',
    'environment, then the file.',
    '',
  ].join('\n');
}

type Flags = Record<string, string | boolean | undefined> & { config?: string };

function readFlags(argv: readonly string[]): Flags {
  const known: NonNullable<ParseArgsConfig['options']> = { config: { type: 'string' } };
  for (const { flag } of options) known[flag] = { type: 'string' };
  for (const name of Object.keys(SWITCHES)) known[name] = { type: 'boolean' };
  try {
    return parseArgs({ args: [...argv], options: known, strict: true, allowPositionals: false }).values as Flags;
  } catch (error) {
    // Node's message goes on with hints about positional arguments that do not apply here.
    const [cause] = (error as Error).message.split(/\. (?=To specify|Did you)|\n/);
    throw new StartError(`${cause!.replace(/\.$/, '')} (millrace-server --help lists the options)`);
  }
}

function textsOfFlags(flags: Flags): Texts {
  return collect(
    (flag) => flags[flag],
    (flag) => `--${flag}`,
  );
}

function textsOfEnvironment(environment: NodeJS.ProcessEnv): Texts {
  return collect((flag) => environment[environmentName(flag)], environmentName);
}

function textsOfFile(path: string | undefined): Texts {
  if (path === undefined) return new Map();
  const content = readJson(path);
  const unknown = Object.keys(content).find((key) => !options.some(({ flag }) => flag === key));
  if (unknown !== undefined) throw new StartError(`${path}: there is no option '${unknown}'`);
  return collect(
    (flag) => {
      const value = content[flag];
      return typeof value === 'number' ? String(value) : value;
    },
    (flag) => `${path}: '${flag}'`,
  );
}

function readJson(path: string): Record<string, unknown> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new StartError(`cannot read the configuration file '${path}': ${reason(error)}`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new StartError(`the configuration file '${path}' must hold a JSON object`);
  }
  return content as Record<string, unknown>;
}

function collect(read: (flag: string) => unknown, from: (flag: string) => string): Texts {
  const texts = new Map<string, { text: string; from: string }>();
  for (const { flag, expects } of options) {
    const text = read(flag);
    if (text === undefined) continue;
    if (typeof text !== 'string') throw new StartError(`${from(flag)} must be ${expects}, not ${JSON.stringify(text)}`);
    texts.set(flag, { text, from: from(flag) });
  }
  return texts;
}

function merge(sources: readonly Texts[]): Config {
  const config: Partial<Record<keyof Config, unknown>> = {};
  for (const option of options) {
    const given = sources.map((texts) => texts.get(option.flag)).find((each) => each !== undefined);
    config[option.name] = parse(option, given ?? { text: option.fallback, from: 'default' });
  }
  return config as Config;
}

function parse({ parse, expects }: Option, { text, from }: { text: string; from: string }): unknown {
  const parsed = parse(text);
  if (parsed === undefined) throw new StartError(`${from} must be ${expects}, not '${text}'`);
  return parsed.value;
}

function assertReadable(path: string): void {
  try {
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new StartError(`cannot read the feed's file '${path}': ${reason(error)}`);
  }
}

/** What went wrong in a system error, without the names of calls and paths: `no such file or directory`. */
export function reason(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  const known = [...getSystemErrorMap().values()].find(([name]) => name === code);
  return known === undefined ? message.replaceAll('\n', ' ') : known[1];
}
