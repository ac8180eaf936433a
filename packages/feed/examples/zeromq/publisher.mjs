// The other side, a process of its own: a PUB socket that sends [symbol, number + price] at a rate, in bursts. Numbers begin
// at 1 when the parent says "go" (before that, 0 shows that the subscription has arrived) and end with one that has no price.
import { setTimeout as sleep } from 'node:timers/promises';
import { Publisher } from 'zeromq';

const [seconds, perSecond] = process.argv.slice(2).map(Number);
const TICK_MS = 5;
const BURST = 4;

const socket = new Publisher({ linger: 0 });
await socket.bind('tcp://127.0.0.1:*');
process.send({ endpoint: socket.lastEndpoint });

let going = false;
process.once('message', () => (going = true));
// The parent has seen the end.
process.once('disconnect', () => process.exit());

function message(number, price) {
  const bytes = Buffer.alloc(price === undefined ? 4 : 12);
  bytes.writeUInt32LE(number);
  if (price !== undefined) bytes.writeDoubleLE(price, 4);
  return bytes;
}

while (!going) {
  await socket.send(['SYM0', message(0, 0)]);
  await sleep(TICK_MS);
}

const began = performance.now();
let number = 0;
// Every other second four times as many.
const due = (s) => perSecond * (s + (BURST - 1) * (Math.floor(s / 2) + Math.min(1, s % 2)));
for (let s = 0; s < seconds; s = (performance.now() - began) / 1000) {
  for (const until = due(s); number < until;) {
    number++;
    await socket.send([`SYM${number % 1000}`, message(number, 100 + (number % 500) / 10)]);
  }
  await sleep(TICK_MS);
}
process.send({ sent: number });
for (;;) {
  await socket.send(['SYM0', message(number + 1)]);
  await sleep(TICK_MS);
}
