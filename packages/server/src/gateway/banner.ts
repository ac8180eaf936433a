import type { Gateway } from './gateway.js';
import { spellConfig } from './config.js';
import { formatBytes } from './units.js';
import { MILLRACE_VERSION } from './versions.js';

/** Where redis-cli looks by itself. */
const LOOPBACK = /^(127\.0\.0\.1|localhost)$/;
const ANY_ADDRESS = /^(0\.0\.0\.0|::)$/;

/** What listens where, the memory plan, and what to try. */
export function banner(gateway: Gateway): string {
  const { config, memoryPlan, port, adminPort } = gateway;
  const { feed, speed } = spellConfig(config);
  const cli = `redis-cli${LOOPBACK.test(config.host) || ANY_ADDRESS.test(config.host) ? '' : ` -h ${config.host}`} -p ${port}`;
  const parts = memoryPlan.parts.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(', ');
  const threads = config.workers === 1 ? '1 worker' : `${config.workers} workers`;
  return [
    `Millrace ${MILLRACE_VERSION}: a market-data gateway that Redis clients can talk to`,
    '',
    `  clients   ${config.host}:${port} (${gateway.topology}, ${threads})`,
    `  admin     ${adminPort === undefined ? 'off' : `http://${config.host}:${adminPort}/metrics (and /livez /readyz /connections /queues /threads /config)`}`,
    `  feed      ${feed}${config.feed.kind === 'file' ? `, speed ${speed}` : ''}`,
    `  memory    plan ${formatBytes(memoryPlan.totalBytes)} of ${formatBytes(config.maxMemoryBytes)}: ${parts}`,
    '',
    'Try:',
    `  ${cli} GET last:BTCUSDT`,
    `  ${cli} SUBSCRIBE tick:BTCUSDT`,
    `  ${cli} INFO feed`,
    '',
  ].join('\n');
}
