import { listOf, numberOf, parseFlags, UsageError } from '../../../scripts/bench/flags.mjs';

export const USAGE = `npm run bench -- server [flags]

  --rounds N         rounds, each visits every server at every depth (default 9)
  --seconds S        measured seconds of one visit (default 1; 0.2 s of warm-up come before)
  --depth 1,16,64    requests in flight on each connection
  --protocol echo,resp
  --connections N    (default 50)
  --servers LIST     only these: epoll, net-chunk, net-frame, bun, millrace, millrace-0
  --seed N           of the order of the visits (default: the clock; always printed)
  --quick            2 rounds of 0.2 s, to see that everything runs; not for figures
  --write-readme     put the tables between the bench:server markers of the package's README
  --self-check       test the load generator instead of measuring`;

/** @param {string[]} argv */
export function parseOptions(argv) {
  const values = parse(argv);
  const quick = values.quick ?? false;
  const options = {
    help: values.help ?? false,
    quick,
    writeReadme: values['write-readme'] ?? false,
    selfCheck: values['self-check'] ?? false,
    rounds: numberOf('--rounds', values.rounds, { min: 1, max: 1000, fallback: quick ? 2 : 9, integer: true }),
    seconds: numberOf('--seconds', values.seconds, { min: 0.05, max: 600, fallback: quick ? 0.2 : 1 }),
    connections: numberOf('--connections', values.connections, { min: 1, max: 10000, fallback: 50, integer: true }),
    seed: numberOf('--seed', values.seed, { min: 0, max: 2 ** 32 - 1, fallback: Date.now() % 2 ** 32, integer: true }),
    depths: listOf(values.depth ?? '1,16,64').map((text) =>
      numberOf('--depth', text, { min: 1, max: 4096, integer: true }),
    ),
    protocols: listOf(values.protocol ?? 'echo,resp'),
    servers: values.servers === undefined ? undefined : listOf(values.servers),
  };
  for (const protocol of options.protocols) {
    if (protocol !== 'echo' && protocol !== 'resp') {
      throw new UsageError(`--protocol must name echo, resp or both, got ${protocol}`);
    }
  }
  if (options.writeReadme && (quick || options.rounds < 9 || options.servers !== undefined)) {
    throw new UsageError('--write-readme needs all servers and 9 rounds or more: leave out --quick and --servers');
  }
  return options;
}

function parse(argv) {
  return parseFlags(argv, {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    depth: { type: 'string' },
    protocol: { type: 'string' },
    connections: { type: 'string' },
    servers: { type: 'string' },
    seed: { type: 'string' },
    quick: { type: 'boolean' },
    'write-readme': { type: 'boolean' },
    'self-check': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
}
