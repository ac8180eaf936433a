import { lines, type ServerStats } from '@millrace/server';
import { handlerModule, serve } from './support/serve';
import { withRandom, type Random } from './support/random';
import { until } from './support/wait';
import mix from './handlers/async-mix.js';

/** received = handled + failed + dropped + in flight, and the same for what was published. */
function balance({ messages, published }: ServerStats): [number, number] {
  const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  return [
    messages.received - messages.handled - messages.failed - sum(messages.dropped) - messages.inFlight,
    published.offered - published.delivered - published.conflated - sum(published.dropped) - published.inFlight,
  ];
}

const CLIENTS = 40;
const MESSAGES = 150;

/** Fails with the first line that differs: all of them would be a book. */
function same(received: string[], sent: string[]): void {
  const at = sent.findIndex((line, i) => received[i] !== line);
  if (at >= 0 || received.length !== sent.length) {
    throw new Error(`line ${at} of ${sent.length}: sent ${sent[at]}, received ${received.length}: ${received[at]}`);
  }
}

async function run(random: Random, workers: number): Promise<void> {
  const { server, connectMany } = await serve({
    framing: lines(),
    workers,
    handler: workers === 0 ? mix : handlerModule('async-mix.js'),
    connection: { highWaterBytes: 2_000 },
  } as Parameters<typeof serve>[0]);
  let looks = 0;
  let watching = true;
  const watch = async (): Promise<void> => {
    while (watching) {
      expect(balance(server.stats())).toEqual([0, 0]);
      looks++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const watched = watch();
  const clients = await connectMany(CLIENTS);
  let lost = 0;
  await Promise.all(
    clients.map(async (client, number) => {
      // One in ten fails somewhere; the replies up to there are still its own, in order.
      const failsAt = random.below(10) === 0 ? random.below(MESSAGES) : MESSAGES;
      const sent = Array.from({ length: MESSAGES }, (_, i) => {
        const delay = i === failsAt ? -1 - random.below(2) : random.below(3) === 0 ? 1 + random.below(6) : 0;
        return `${number} ${i} ${delay} ${'x'.repeat(random.below(300))}`;
      });
      // In pieces that cut lines anywhere.
      const bytes = Buffer.from(sent.join('\n') + '\n');
      for (let at = 0; at < bytes.length;) {
        const size = 1 + random.below(700);
        client.write(bytes.subarray(at, at + size));
        at += size;
        if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (failsAt < MESSAGES) {
        lost++;
        const all = (await client.readAll()).toString();
        same(all.split('\n').slice(0, -1), sent.slice(0, failsAt));
        client.end();
      } else {
        same(await client.readLines(MESSAGES), sent);
      }
    }),
  );
  await until(() => server.stats().messages.inFlight === 0);
  watching = false;
  await watched;
  expect(looks).toBeGreaterThan(10);
  const { messages, connections } = server.stats();
  expect(messages.failed).toBe(lost);
  expect(connections.closed.error).toBe(lost);
}

test.each([0, 2])(
  'hazards 15, 22: async handlers, conservation: each client gets its own bytes, in order, and every look balances; workers: %i',
  (workers) => withRandom((random) => run(random, workers)),
);
