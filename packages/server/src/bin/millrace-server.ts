#!/usr/bin/env node
import { readConfig, spellConfig, StartError, usage, type Invocation } from '../gateway/config.js';
import { MILLRACE_VERSION } from '../gateway/versions.js';

const CANNOT_START = 2;
const FORCED = 1;
/** Errors whose message says what to do. */
const HAS_A_CURE = new Set(['ERR_ADDON_NOT_BUILT', 'ERR_UNSUPPORTED_PLATFORM']);

async function main(): Promise<void> {
  const invocation = readConfig(process.argv.slice(2), process.env);
  const answer = answerOf(invocation);
  if (answer === undefined) await run(invocation);
  else process.stdout.write(`${answer}\n`);
}

function answerOf({ config, check, printConfig, help, version }: Invocation): string | undefined {
  if (help) return usage();
  if (version) return MILLRACE_VERSION;
  if (printConfig) return JSON.stringify(spellConfig(config), undefined, 2);
  return check ? 'the configuration is valid' : undefined;
}

async function run({ config }: Invocation): Promise<void> {
  // Before anything that takes time: who stops it while it starts shall not kill it either.
  const signalled = firstSignal();
  // Loaded only now: --help and a bad flag are answered without the native parts.
  const { pino } = await import('pino');
  const log = pino(
    {
      level: config.logLevel,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  log.debug({ version: MILLRACE_VERSION }, 'starting');
  const stopping = signalled.then((signal) => log.info({ signal }, 'stopping'));
  const { Gateway } = await import('../gateway/gateway.js');
  const { banner } = await import('../gateway/banner.js');
  const gateway = await Gateway.start(config, log);
  process.stdout.write(banner(gateway));
  log.info({ port: gateway.port, adminPort: gateway.adminPort, topology: gateway.topology }, 'listening');
  await stopping;
  try {
    await gateway.close();
  } catch (error) {
    log.fatal({ err: error }, 'could not stop cleanly');
    process.exit(FORCED);
  }
  log.info('stopped');
  process.exit(0);
}

/** The first signal to stop; the second ends the process at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const take = (signal: NodeJS.Signals): void => {
      if (stopping) process.exit(FORCED);
      stopping = true;
      resolve(signal);
    };
    process.on('SIGTERM', take);
    process.on('SIGINT', take);
  });
}

main().catch((error: unknown) => {
  if (error instanceof StartError || HAS_A_CURE.has((error as NodeJS.ErrnoException).code ?? '')) {
    process.stderr.write(`millrace-server: ${(error as Error).message}\n`);
    process.exitCode = CANNOT_START;
    return;
  }
  process.stderr.write(`millrace-server: ${(error as Error).stack ?? String(error)}\n`);
  process.exitCode = FORCED;
});
