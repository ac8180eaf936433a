import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Framing, lines, resp } from '@millrace/framing';

const PROGRAM = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { FrameDecoder } = require(workerData.path);
  const decoder = new FrameDecoder(workerData.framing);
  const found = [];
  decoder.push(Buffer.from('PING "a b"\\r\\nx'), (frame) => found.push(frame.latin1()));
  parentPort.postMessage(found);
`;

async function inWorker(framing: Framing): Promise<unknown> {
  const path = require.resolve('@millrace/framing');
  const worker = new Worker(PROGRAM, { eval: true, workerData: { path, framing } });
  try {
    const [found] = (await once(worker, 'message')) as unknown[];
    return found;
  } finally {
    await worker.terminate();
  }
}

test('decoders work on several threads at once, with framings that were posted to them', async () => {
  const found = await Promise.all([inWorker(lines()), inWorker(resp()), inWorker(lines())]);
  expect(found[0]).toEqual(['PING "a b"']);
  expect(found[1]).toEqual([expect.stringMatching(/^PING a b/)]);
  expect(found[2]).toEqual(found[0]);
});
