import { createServer, resp, type Server } from '@millrace/server';
import { Board } from '../../dist/gateway/board.js';
import { Metrics } from '../../dist/gateway/metrics.js';

test('the figures of one answer are of one moment', async () => {
  const server: Server = createServer({ handler: { message: () => undefined }, workers: 0, framing: resp() });
  let reads = 0;
  const watched = {
    stats: () => {
      reads++;
      return server.stats();
    },
  } as Server;
  const metrics = new Metrics({
    server: watched,
    feed: undefined,
    board: new Board(),
    memoryPlan: { totalBytes: 5 },
  });
  reads = 0;
  expect(await metrics.render()).toMatch(/^millrace_memory_plan_bytes 5$/m);
  expect(reads).toBe(1);
  expect(await metrics.render()).toMatch(/^millrace_queue_depth\{queue="send"\} 0$/m);
  expect(reads).toBe(2);
  await server.close();
});
