// The floors of the core: a header includes from its own floor or below, and nothing of Node's.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { nativeFolder } from './workspace.mjs';

// Beside the folders lie the interfaces for C, feed.h and queue.h: plain declarations, for all floors.
const height = { '.': 0, base: 0, memory: 1, concurrent: 1, time: 1, io: 2, framing: 2, feed: 2, queue: 2, server: 3 };

function heightOf(floor) {
  if (!(floor in height)) throw new Error(`millrace/${floor} has no floor: add it to scripts/floors.mjs`);
  return height[floor];
}

/** One line for each include that breaks the rule. */
export function floorViolations() {
  const include = path.join(nativeFolder, 'include', 'millrace');
  const violations = [];
  for (const file of readdirSync(include, { recursive: true }).filter((name) => name.endsWith('.h'))) {
    const floor = path.dirname(file).split(path.sep)[0];
    heightOf(floor);
    const text = readFileSync(path.join(include, file), 'utf8');
    for (const [, header] of text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) {
      const other = /^millrace\/([^/]+)\//.exec(header)?.[1];
      if (other !== undefined && heightOf(other) > heightOf(floor)) {
        violations.push(`millrace/${file} (${floor}) includes ${header}, which lies on a floor above`);
      }
      if (/^(napi|node|node_api|js_native_api|uv|v8)\.h$/.test(header)) {
        violations.push(`millrace/${file} includes ${header}: the core knows nothing of Node`);
      }
    }
  }
  return violations;
}
