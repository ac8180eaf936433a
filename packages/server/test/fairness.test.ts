import { lines } from '@millrace/server';
import { handlerModule, serve } from './support/serve';
import { until } from './support/wait';

const INBOX = 4_096;

test('one client that streams without end does not keep 100 quiet ones waiting', async () => {
  const streamed = new Int32Array(new SharedArrayBuffer(4));
  const { server, connect, connectMany } = await serve({
    framing: lines(),
    queues: { work: { capacity: INBOX } },
    workers: 1,
    workerData: streamed,
    handler: handlerModule('counts-stream.js'),
  });
  const stream = await connect();
  const chunk = Buffer.from(`${'x'.repeat(63)}\n`.repeat(1_000));
  let going = true;
  const push = (): void => {
    while (going && stream.socket.write(chunk));
  };
  stream.socket.on('drain', push);
  push();
  await until(() => Atomics.load(streamed, 0) > 10_000);
  const quiet = await connectMany(100);
  // Not in milliseconds, which depend on the machine: in messages of the other that were handled first.
  const waits: number[] = [];
  for (let round = 0; round < 5; round++) {
    for (const [i, client] of quiet.entries()) {
      const before = Atomics.load(streamed, 0);
      const [name, handledThen] = (await client.write(`${i}\n`).readLine()).split(' ').map(Number) as [number, number];
      expect(name).toBe(i);
      waits.push(handledThen - before);
    }
  }
  const end = Atomics.load(streamed, 0);
  await until(() => Atomics.load(streamed, 0) > end);
  going = false;
  stream.socket.destroy();
  waits.sort((a, b) => a - b);
  // A ring's worth may stand before it, and as much comes while the bytes are on their way.
  expect(waits[waits.length / 2]).toBeLessThan(2 * INBOX);
  expect(server.stats().connections.closed.overload).toBe(0);
});

test('hazard 13: edges: a chatty client whose input ends on the read budget is read on, without a new edge', async () => {
  let received = 0;
  const { connect } = await serve({
    framing: lines(),
    connection: { readBudgetBytes: 1_000, readBudgetUs: 0 },
    handler: { message: () => void received++ },
  });
  const client = await connect();
  // Multiples of the budget, then silence.
  client.write('x'.repeat(99).concat('\n').repeat(1_000));
  await until(() => received === 1_000);
});
