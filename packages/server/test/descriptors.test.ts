import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Client } from './support/client';
import { connectTo } from './support/serve';

interface Look {
  readonly open: number;
  readonly accepted: number;
  readonly rejected: Record<string, number>;
  readonly cpuMs: number;
}

async function ask<T>(child: ChildProcess, message: string): Promise<T> {
  const answer = once(child, 'message');
  child.send(message);
  return (await answer)[0] as T;
}

test('EMFILE: who finds no descriptor is turned away and counted; the others are served, and nothing spins', async () => {
  const child = spawn(
    'sh',
    ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, join(__dirname, 'children/few-descriptors.js')],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const ended = once(child, 'exit');
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const served: Client[] = [];
  let refused = 0;
  for (let i = 0; i < 120; i++) {
    const client = await connectTo(port);
    if ((await client.write('x\n').readLine()) === 'x') served.push(client);
    else refused++;
  }
  expect(served.length).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(50);
  const first = await ask<Look>(child, 'look');
  expect(first.accepted).toBe(served.length);
  expect(first.rejected.descriptors).toBe(refused);
  // The listener is left alone while nothing can be done.
  const pause = 300;
  await setTimeout(pause);
  expect((await ask<Look>(child, 'look')).cpuMs).toBeLessThan(pause / 2);
  for (const client of served) expect(await client.write('still\n').readLine()).toBe('still');
  // Room again.
  for (const client of served.splice(0, 10)) await client.end().readAll();
  for (;;) {
    const client = await connectTo(port);
    if ((await client.write('again\n').readLine()) === 'again') break;
  }
  child.send('close');
  expect(await ended).toEqual([0, null]);
});
