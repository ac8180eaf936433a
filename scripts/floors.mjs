// The floors of the core: a header includes from its own floor or below, and nothing of Node's.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { nativeFolder } from './workspace.mjs';

const height = { base: 0, memory: 1, concurrent: 1, time: 1, io: 2, framing: 2, monitor: 2, feed: 2, server: 3 };

/** One line for each include that breaks the rule. */
export function floorViolations() {
  const include = path.join(nativeFolder, 'include', 'millrace');
  const violations = [];
  for (const file of readdirSync(include, { recursive: true }).filter((name) => name.endsWith('.h'))) {
    const floor = path.dirname(file).split(path.sep)[0];
    const text = readFileSync(path.join(include, file), 'utf8');
    for (const [, header] of text.matchAll(/^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm)) {
      const other = /^millrace\/([^/]+)\//.exec(header)?.[1];
      if (other !== undefined && height[other] > height[floor]) {
        violations.push(`millrace/${file} (${floor}) includes ${header}, which lies on a floor above`);
      }
      if (/^(napi|node|node_api|js_native_api|uv|v8)\.h$/.test(header)) {
        violations.push(`millrace/${file} includes ${header}: the core knows nothing of Node`);
      }
    }
  }
  return violations;
}
