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
  // Loaded only now: --help and a bad flag are answered without the native parts.
  const { pino } = await import('pino');
  const { Gateway } = await import('../gateway/gateway.js');
  const { banner } = await import('../gateway/banner.js');
  const log = pino(
    {
      level: config.logLevel,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
  const gateway = await Gateway.start(config, log);
  process.stdout.write(banner(gateway));
  log.info({ port: gateway.port, adminPort: gateway.adminPort, topology: gateway.topology }, 'listening');

  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      log.warn({ signal }, 'stopping at once');
      process.exit(FORCED);
    }
    stopping = true;
    log.info({ signal }, 'stopping');
    gateway.close().then(
      () => {
        log.info('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.fatal({ err: error }, 'could not stop cleanly');
        process.exit(FORCED);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
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
