// npm start: builds what is not built, then runs the gateway with the arguments given.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { root } from './workspace.mjs';

await bootstrap();

const gateway = path.join(root, 'packages', 'server', 'dist', 'bin', 'millrace-server.js');
if (!existsSync(gateway)) {
  process.stderr.write('The gateway is not built: packages/server/src/bin/millrace-server.ts is missing.\n');
  process.exit(1);
}

// In a session of its own, because a terminal's Ctrl-C reaches every process of the foreground group and npm passes it
// on once more, and to the gateway a second signal means "do not wait". It gets each signal from here, once.
const child = spawn(process.execPath, [gateway, ...process.argv.slice(2)], { stdio: 'inherit', detached: true });
const sameKeystrokeMs = 300;
const lastAt = new Map();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
  process.on(signal, () => {
    const now = performance.now();
    if (now - (lastAt.get(signal) ?? -Infinity) > sameKeystrokeMs) child.kill(signal);
    lastAt.set(signal, now);
  });
}
child.once('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
