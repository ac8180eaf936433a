// A ZeroMQ SUB socket → feed → workers. Run it with `npm run demo -- zeromq`: it starts a publisher of its own and prints a
// line a second. ZeroMQ drops at its own high-water mark, where the feed's equation cannot see: the gaps in the numbers of
// the messages are counted, so that both equations together account for all that was sent.
//   --seconds N (default 8)   --per-second N (10000, four times as many every other second)   --handler-us N (50)
//   --workers N (2)   --stall-ms N (1500): for so long this thread is blocked once, as by a large JSON.parse
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Feed } from '@millrace/feed';
import { Subscriber } from 'zeromq';
import { Sequence } from './sequence.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    'per-second': { type: 'string', default: '10000' },
    'handler-us': { type: 'string', default: '50' },
    workers: { type: 'string', default: '2' },
    'stall-ms': { type: 'string', default: '1500' },
  },
});

const feed = new Feed({ capacity: 8192, maxMessageBytes: 256, overflow: 'conflate', key: 'ascii16' });
const handled = new Int32Array(new SharedArrayBuffer(4));
await feed.consumeWith({
  filename: new URL('./consumer.mjs', import.meta.url),
  workers: Number(values.workers),
  workerData: { handled, handlerUs: Number(values['handler-us']) },
});

const publisher = fork(fileURLToPath(new URL('./publisher.mjs', import.meta.url)), [
  values.seconds,
  values['per-second'],
]);
const [{ endpoint }] = await once(publisher, 'message');
const socket = new Subscriber({ receiveHighWaterMark: 1000 });
socket.connect(endpoint);
socket.subscribe();

const sequence = new Sequence();
let received = 0;
let sent;
publisher.on('message', (message) => (sent = message.sent));

const report = setInterval(() => {
  const { delivered, conflated, dropped, depth, pushNs } = feed.stats();
  console.log(
    `received ${received}  lost in ZeroMQ ${sequence.missing} (${sequence.gaps} gaps)  handled ${delivered}  ` +
      `conflated ${conflated}  refused ${dropped.newest}  waiting ${depth}  push p99 ${pushNs.p99} ns`,
  );
}, 1000);
setTimeout(() => {
  console.log(`this thread is blocked for ${values['stall-ms']} ms`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(values['stall-ms']));
}, 2500);

for await (const [symbol, bytes] of socket) {
  const number = bytes.readUInt32LE(0);
  if (number === 0) {
    if (publisher.connected) publisher.send('go');
    continue;
  }
  sequence.next(number);
  if (bytes.length === 4) break; // the end
  received++;
  feed.push(bytes, symbol.latin1Slice());
}
clearInterval(report);
publisher.disconnect();
socket.close();
await feed.close();

const { offered, delivered, failed, conflated, dropped } = feed.stats();
const refused = Object.values(dropped).reduce((sum, count) => sum + count, 0);
console.log(`sent ${sent} = received ${received} + lost in ZeroMQ ${sequence.missing}`);
console.log(
  `received ${offered} = handled ${delivered} + failed ${failed} + conflated ${conflated} + refused ${refused}`,
);
const exact =
  sent === received + sequence.missing &&
  offered === received &&
  offered === delivered + failed + conflated + refused &&
  handled[0] === delivered;
console.log(exact ? 'Every message is accounted for.' : 'The counts do not agree.');
process.exitCode = exact ? 0 : 1;
