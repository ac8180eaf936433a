import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../../scripts/bench/flags.mjs';

const BUILT_PACKAGE = fileURLToPath(new URL('../dist/index.js', import.meta.url));
const script = (name) => fileURLToPath(new URL(`./servers/${name}.mjs`, import.meta.url));
const node = (name, ...args) => ({ command: process.execPath, args: [script(name), ...args] });

/** The two servers of which the better one is what the others are compared with. */
export const BASELINES = ['net-chunk', 'net-frame'];

export const LABELS = {
  epoll: 'C++ epoll, one thread',
  'net-chunk': 'node:net, a write a chunk',
  'net-frame': 'node:net, a write a frame',
  bun: 'Bun.listen, a write a chunk',
  millrace: 'Millrace staged, 1 worker',
  'millrace-0': 'Millrace staged, calling thread',
};

/**
 * The servers to start for one protocol.
 *
 * @param {string[] | undefined} wanted – names of LABELS; all that can run if undefined
 * @param {{ epollServer: string }} native @param {{ path?: string }} bun
 * @returns {{ name: string, command: string, args: string[] }[]}
 */
export function roster(protocol, wanted, native, bun) {
  const entries = {
    epoll: { command: native.epollServer, args: ['--protocol', protocol] },
    'net-chunk': node('net-chunk', protocol),
    'net-frame': node('net-frame', protocol),
    bun: bun.path === undefined ? undefined : { command: bun.path, args: [script('bun-listen'), protocol] },
    millrace: node('millrace', protocol, '1'),
    'millrace-0': node('millrace', protocol, '0'),
  };
  return Object.keys(LABELS)
    .filter((name) => wanted === undefined || wanted.includes(name))
    .filter((name) => entries[name] !== undefined)
    .map((name) => ({ name, ...entries[name] }));
}

/** Refuses names that are not known, and Millrace when it is not built. */
export function checkServers(wanted) {
  for (const name of wanted ?? []) {
    if (LABELS[name] === undefined) {
      throw new UsageError(`--servers knows ${Object.keys(LABELS).join(', ')}; got ${name}`);
    }
  }
  const measuresMillrace = wanted === undefined || wanted.some((name) => name.startsWith('millrace'));
  if (measuresMillrace && !existsSync(BUILT_PACKAGE)) {
    throw new UsageError('@millrace/server is not built: run `npm install`, or leave it out with --servers');
  }
}
