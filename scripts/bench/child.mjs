import { run } from './processes.mjs';

/**
 * A sampler for measureRounds(): what a Node program says. Each sample is a new process, whose last line of output is
 * JSON; it is killed after `limitMs`.
 *
 * @param {string} file @param {string[]} args
 * @param {{ flags?: string[], limitMs?: number }} options – flags of Node's own, such as --expose-gc
 * @returns {() => Promise<any>}
 */
export function childSampler(file, args = [], { flags = [], limitMs = 60_000 } = {}) {
  return async () => {
    const { code, stdout, stderr } = await run(process.execPath, [...flags, file, ...args.map(String)], limitMs);
    if (code !== 0) {
      throw new Error(`${[file, ...args].join(' ')} ${code === null ? 'did not end' : `failed (${code})`}:\n${stderr}`);
    }
    return JSON.parse(stdout.trimEnd().split('\n').at(-1));
  };
}
