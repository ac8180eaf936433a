// The story: a vendor's library calls back, in bursts far more often than the handler can follow. The same bursts go through
// four ways, one process each; memory and queues are sampled once a second. Run it with `npm run demo -- memory`. Prints a
// table and writes a chart, memory.svg in this folder.
//   --seconds N (default 20)   --per-second N (5000)   --burst N (60000, for 4 seconds of 10)   --handler-us N (50)
//   --bytes N (256, of a message)   --svg FILE
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { table } from '../../../../scripts/bench/table.mjs';
import { chart } from './chart.mjs';

const MEBIBYTE = 2 ** 20;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    'per-second': { type: 'string', default: '5000' },
    burst: { type: 'string', default: '60000' },
    'handler-us': { type: 'string', default: '50' },
    bytes: { type: 'string', default: '256' },
    svg: { type: 'string', default: path.join(import.meta.dirname, 'memory.svg') },
  },
});
const seconds = Number(values.seconds);
const options = {
  seconds,
  perSecond: Number(values['per-second']),
  burstPerSecond: Number(values.burst),
  burstSeconds: 4,
  periodSeconds: 10,
  instruments: 1000,
  bytes: Number(values.bytes),
  handlerUs: Number(values['handler-us']),
};

const ways = [
  ['inside', 'in the callback'],
  ['function', 'a function a message'],
  ['array', 'EventEmitter + array'],
  ['feed', 'Millrace’s feed'],
];

/** The samples of one way, in a process of its own. */
function run(way) {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(import.meta.dirname, 'way.mjs'), [way, JSON.stringify(options)]);
    const samples = [];
    child.on('message', (sample) => {
      samples.push(sample);
      if (sample.second >= seconds) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === 'SIGKILL' && samples.at(-1)?.second >= seconds) resolve(samples);
      else reject(new Error(`${way} ended with ${signal ?? code}`));
    });
  });
}

const series = [];
for (const [way, name] of ways) {
  console.log(`${name}: ${seconds} s`);
  series.push({ name, samples: await run(way) });
}

const mebibytes = (bytes) => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
const most = (samples, key) => Math.max(...samples.map((sample) => sample[key]));
const rows = series.map(({ name, samples }) => {
  const last = samples.at(-1);
  return [
    name,
    mebibytes(most(samples, 'grown')),
    mebibytes(last.grown),
    String(most(samples, 'queue')),
    String(last.queue),
    `${last.callbackP99Us.toFixed(1)} µs`,
    `${Math.max(0, most(samples, 'ageMs')).toFixed(0)} ms`,
    String(last.sent),
    String(last.handled),
  ];
});
const head = ['handled', 'RSS grew', 'at the end', 'queue', 'at the end', 'callback p99', 'age', 'sent', 'handled'];
console.log(`\n${table(head, rows, 1)}\n`);
console.log('queue: messages in the library’s list and on our side of it. age: of a message when its handler began.');

const title = `${options.perSecond} messages a second, ${options.burstPerSecond} in bursts, a handler of ${options.handlerUs} µs`;
const panels = [
  { title: 'RSS since the start, MiB', valueOf: ({ grown }) => Math.max(0, grown) / MEBIBYTE },
  { title: 'messages that wait', valueOf: ({ queue }) => queue },
];
writeFileSync(values.svg, chart({ title, seconds, series, panels }));
console.log(`chart: ${path.relative(process.cwd(), values.svg)}`);
