import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const folder = path.join(import.meta.dirname, 'producer');

/** Compiles the native producer, if that was not done yet. */
export async function buildProducer(say) {
  await require('../../../native/lib/compile/build-addon.js').buildAddon(folder, { log: say });
}

/** The native producer: threads of its own that push, or call back. One at a time in a process. */
export const loadProducer = () => require('@millrace/native').loadAddon(folder);

/** What its thread leaves behind, when that has come to its end. `meanwhile` is called every few milliseconds. */
export async function resultOf(producer, meanwhile = () => undefined, everyMs = 5) {
  for (;;) {
    const result = producer.result();
    if (result !== undefined) return result;
    meanwhile();
    await sleep(everyMs);
  }
}
