import { once } from 'node:events';
import { lines, type ConnectionInfo, type ServerOptions, type WorkerReport } from '@millrace/server';
import type { Client } from './support/client';
import { connectTo, handlerModule, serve, type Running } from './support/serve';
import { failure, until } from './support/wait';

const mortal = (options: object = {}): ServerOptions => ({
  framing: lines(),
  handler: handlerModule('mortal.js'),
  workers: 1,
  ...options,
});

interface Clients extends Running {
  readonly victim: Client;
  readonly other: Client;
}

async function withTwo(options: object = {}): Promise<Clients> {
  const running = await serve(mortal(options));
  const victim = await running.connect();
  const other = await running.connect();
  expect(await victim.write('hello\n').readLine()).toBe('hello 1');
  expect(await other.write('hello\n').readLine()).toBe('hello 1');
  return { ...running, victim, other };
}

describe.each([
  ['process.exit() in a handler', 'exit', 'exit', 'ERR_SERVER_WORKER'],
  ['an endless loop', 'hang', 'stuck', undefined],
  ['out of memory', 'memory', 'memory', 'ERR_WORKER_OUT_OF_MEMORY'],
] as const)('hazard 18, 19: a worker that ends in the middle of a message: %s', (_name, word, reason, code) => {
  test('that message fails and its connection closes; the others are handled once, in order, by the next', async () => {
    const { server, victim, other, connect } = await withTwo({
      // Collecting garbage to the bitter end takes a while.
      stuckAfterMs: word === 'memory' ? 0 : 200,
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    const replaced = once(server, 'replaced') as Promise<[WorkerReport]>;
    const third = await connect();
    expect(await third.write('hello\n').readLine()).toBe('hello 1');
    // All in one go: what stands in front of the message that ends the worker, and behind it.
    const before = Array.from({ length: 50 }, (_, i) => `before${i}`);
    const after = Array.from({ length: 500 }, (_, i) => `after${i}`);
    victim.write(`${before.join('\n')}\n${word}\n${after.join('\n')}\n`);
    other.write(`${after.join('\n')}\n`);
    const answered = (await victim.readAll()).toString().split('\n').slice(0, -1);
    victim.end();
    expect(answered).toEqual(before.map((text, i) => `${text} ${i + 2}`));
    const [report] = await replaced;
    expect(report).toMatchObject({ workerIndex: 0, reason });
    if (code !== undefined) expect((report.error as NodeJS.ErrnoException).code).toBe(code);
    // The others' messages were the first worker's or the second's: once each, and the count tells which.
    const answers = await other.readLines(after.length);
    expect(answers.map((line) => line.split(' ')[0])).toEqual(after);
    const firstOfNew = answers.findIndex((line) => line.endsWith('reopened'));
    answers.forEach((line, i) => {
      const isNew = firstOfNew >= 0 && i >= firstOfNew;
      expect(line).toBe(`${after[i]} ${isNew ? `${i - firstOfNew + 1} reopened` : i + 2}`);
    });
    expect(await third.write('alive\n').readLine()).toBe('alive 1 reopened');
    await until(() => server.stats().connections.open === 2);
    const { messages, connections, workers } = server.stats();
    expect(messages.failed).toBe(1);
    expect(messages.received).toBe(messages.handled + messages.failed + messages.dropped.ended! + messages.inFlight);
    expect(connections.closed).toMatchObject(reason === 'stuck' ? { stuck: 1 } : { error: 1 });
    expect(workers).toMatchObject([{ workerIndex: 0, replaced: 1 }]);
    await until(() => server.stats().workers[0]!.state === 'idle');
  });
});

test.each([
  ['throw-later', { message: 'nobody catches this', code: 'ERR_OF_MINE' }],
  ['reject-later', { message: 'nobody catches this either' }],
])('a worker that ends between messages: %s', async (word, error) => {
  const { server, victim, other } = await withTwo();
  const replaced = once(server, 'replaced') as Promise<[WorkerReport]>;
  expect(await victim.write(`${word}\n`).readLine()).toBe(`${word} 2`);
  const [report] = await replaced;
  expect(report).toMatchObject({ reason: 'error', error });
  // Nothing was running: nobody loses anything but their worker's memory.
  expect(await victim.write('again\n').readLine()).toBe('again 1 reopened');
  expect(await other.write('again\n').readLine()).toBe('again 1 reopened');
  await until(() => server.stats().messages.inFlight === 0);
  expect(server.stats().messages.failed).toBe(0);
});

test('hazard 19: pending async work dies with its worker, and its connections close', async () => {
  const { server, victim, other, connect } = await withTwo();
  const pending = await connect();
  pending.write('wait\nbehind it\n');
  await until(() => server.stats().messages.received >= 3);
  await other.write('after\n').readLine();
  const replaced = once(server, 'replaced');
  victim.write('exit\n');
  await replaced;
  expect((await pending.readAll()).length).toBe(0);
  expect((await victim.readAll()).length).toBe(0);
  expect(await other.write('again\n').readLine()).toBe('again 1 reopened');
  pending.end();
  victim.end();
  await until(() => server.stats().connections.open === 1);
  expect(server.stats().connections.closed.error).toBe(2);
  await until(() => server.stats().messages.inFlight === 0);
});

describe('a handler that blocks its worker', () => {
  test('is reported once when it is slow, and not replaced', async () => {
    const { server, victim, other } = await withTwo({ warnAfterMs: 100, stuckAfterMs: 20_000 });
    const warned: WorkerReport[] = [];
    server.on('warn', (report) => warned.push(report));
    expect(await victim.write('spin 600\n').readLine()).toBe('spin 600 2');
    expect(await other.write('fine\n').readLine()).toBe('fine 2');
    expect(warned).toMatchObject([{ workerIndex: 0 }]);
    expect(warned[0]!.elapsedMs).toBeGreaterThanOrEqual(100);
  });

  test('is reported as stuck with its connection, closed with that reason, and replaced', async () => {
    const { server, victim, other } = await withTwo({ warnAfterMs: 200, stuckAfterMs: 1000 });
    const events: string[] = [];
    server.on('warn', () => events.push('warn'));
    server.on('replaced', () => events.push('replaced'));
    const stuck = once(server, 'stuck') as Promise<[WorkerReport & { connection?: ConnectionInfo }]>;
    victim.write('hang\n');
    const [report] = await stuck;
    events.push('stuck');
    expect(report).toMatchObject({ workerIndex: 0, reason: 'stuck', connection: { remotePort: victim.port } });
    expect(report.elapsedMs).toBeGreaterThanOrEqual(1000);
    expect((await victim.readAll()).length).toBe(0);
    victim.end();
    expect(await other.write('again\n').readLine()).toBe('again 1 reopened');
    await until(() => events.length === 3);
    expect(events).toEqual(['warn', 'stuck', 'replaced']);
    await until(() => server.stats().connections.closed.stuck === 1);
  });

  test('many that are quick, one after the other, are not a slow one', async () => {
    const { server, victim } = await withTwo({ warnAfterMs: 1200, stuckAfterMs: 1500 });
    const events: string[] = [];
    for (const name of ['warn', 'stuck', 'replaced'] as const) server.on(name, () => events.push(name));
    // One batch of two seconds.
    const messages = 100;
    victim.write('spin 20\n'.repeat(messages));
    const answers = await victim.readLines(messages);
    expect(answers.at(-1)).toBe(`spin 20 ${messages + 1}`);
    expect(events).toEqual([]);
  });

  test('also outside of its handlers: messages wait, and the worker is replaced', async () => {
    const { server, victim, other } = await withTwo({ warnAfterMs: 200, stuckAfterMs: 1000 });
    const stuck = once(server, 'stuck') as Promise<[WorkerReport]>;
    expect(await victim.write('hang-later\n').readLine()).toBe('hang-later 2');
    // It is quiet until somebody wants something of it.
    other.write('waiting\n');
    expect((await stuck)[0]).toMatchObject({ workerIndex: 0, reason: 'stuck' });
    expect(await other.readLine()).toBe('waiting 1 reopened');
    expect(await victim.write('again\n').readLine()).toBe('again 1 reopened');
    await until(() => server.stats().messages.inFlight === 0);
    expect(server.stats().messages.failed).toBe(0);
  });

  test('on this thread (workers: 0) there is only the report, afterwards', async () => {
    const { server, connect } = await serve({
      framing: lines(),
      warnAfterMs: 50,
      handler: {
        message(connection) {
          for (const end = performance.now() + 120; performance.now() < end;);
          connection.send('done');
        },
      },
    });
    const warned = once(server, 'warn') as Promise<[WorkerReport]>;
    expect(await (await connect()).write('x\n').readLine()).toBe('done');
    const [report] = await warned;
    expect(report.workerIndex).toBe(0);
    expect(report.elapsedMs).toBeGreaterThanOrEqual(50);
  });

  test('hazard 20: in a native call: the connection closes and the worker is replaced when the call returns', async () => {
    const { server, victim, other } = await withTwo({ stuckAfterMs: 500 });
    const stuck = once(server, 'stuck');
    const replaced = once(server, 'replaced');
    victim.write('blocked-by-a-child 1\n');
    await stuck;
    await replaced;
    expect((await victim.readAll()).length).toBe(0);
    expect(await other.write('again\n').readLine()).toBe('again 1 reopened');
  });
});

test('a worker that dies again and again is given up, with an error event; the others go on', async () => {
  const { server, connectMany } = await serve(mortal({ workers: 2 }));
  const failed = once(server, 'error') as Promise<[NodeJS.ErrnoException]>;
  let deaths = 0;
  let givenUp: NodeJS.ErrnoException | undefined;
  void failed.then(([error]) => (givenUp = error));
  // Connections alternate: one of two kills the same worker each time.
  const killers = await connectMany(40);
  server.on('replaced', () => deaths++);
  const states = (): string[] => server.stats().workers.map(({ state }) => state);
  for (const client of killers) {
    if (givenUp !== undefined) break;
    const before = deaths;
    client.write('exit\n');
    await until(() => deaths > before || givenUp !== undefined);
  }
  expect(givenUp).toMatchObject({ code: 'ERR_SERVER_WORKER' });
  expect(states().filter((state) => state === 'gone').length).toBe(1);
  // Who comes now is served by the one that is left.
  const clients = await connectMany(6);
  for (const client of clients) expect(await client.write('hello\n').readLine()).toBe('hello 1');
}, 60_000);

test('a successor whose start fails is an error event, and close() works', async () => {
  const { server, connect } = await serve(
    mortal({ handler: handlerModule('starts-once.js'), workerData: new Int32Array(new SharedArrayBuffer(4)) }),
  );
  const failed = once(server, 'error') as Promise<[NodeJS.ErrnoException]>;
  const client = await connect();
  client.write('exit\n');
  expect((await failed)[0]).toMatchObject({ code: 'ERR_WORKER_MODULE' });
  expect(server.stats().workers).toMatchObject([{ state: 'gone' }]);
  await server.close({ drainMs: 0 });
});

test('close() while a worker hangs ends all the same', async () => {
  const { server, victim, port } = await withTwo({ warnAfterMs: 50, stuckAfterMs: 0 });
  const warned = once(server, 'warn');
  victim.write('hang\n');
  await warned;
  await server.close({ drainMs: 0 });
  expect((await failure(() => connectTo(port))).code).toBe('ECONNREFUSED');
}, 60_000);
