import { median, spread } from '../../../scripts/bench/statistics.mjs';
import { table } from '../../../scripts/bench/table.mjs';
import { BASELINES, LABELS } from './roster.mjs';

const TITLES = { echo: 'Echo of 64 bytes, length-prefixed', resp: 'RESP `PING`' };
const GOALS = new Map([
  [1, 1.3],
  [16, 1.3],
  [64, 1.1],
]);

/** The table of one protocol: a row for each depth and server. */
export function renderProtocol(protocol, { cells }) {
  const rows = [];
  for (const [depth, servers] of cells) {
    const baseline = betterBaseline(servers);
    for (const [name, samples] of servers) rows.push(rowOf(depth, name, samples, servers.get(baseline), baseline));
  }
  const head = [
    'depth',
    'server',
    'msg/s',
    '× net',
    'msg/CPU s',
    '× net',
    'p50 µs',
    'p99 µs',
    'p99.9 µs',
    'client busy',
  ];
  return [
    `**${TITLES[protocol]}.** Medians of the rounds, quartiles in parentheses; “× net” is the median of the rounds' ratios`,
    'to the `node:net` server with the higher median at that depth (marked 1).',
    '',
    table(head, rows, 2),
  ].join('\n');
}

function rowOf(depth, name, samples, reference, baseline) {
  const column = (key) => median(samples.map((sample) => sample[key]));
  const ratio = (key) =>
    name === baseline
      ? '1'
      : reference === undefined
        ? '–'
        : ratioText(spread(samples.map((sample, round) => sample[key] / reference[round][key])));
  return [
    String(depth),
    LABELS[name],
    countText(spread(samples.map((sample) => sample.perSecond))),
    ratio('perSecond'),
    countText(spread(samples.map((sample) => sample.perCpuSecond))),
    ratio('perCpuSecond'),
    Math.round(column('p50Us')).toString(),
    Math.round(column('p99Us')).toString(),
    Math.round(column('p999Us')).toString(),
    `${Math.round(column('clientBusy') * 100)} %`,
  ];
}

/** The `node:net` server with the higher median throughput; undefined when none was measured. */
export function betterBaseline(servers) {
  const rate = (name) => median(servers.get(name).map((sample) => sample.perSecond));
  return BASELINES.filter((name) => servers.has(name)).sort((a, b) => rate(b) - rate(a))[0];
}

/** Resident memory of each server: before any load, after the warm-up round, after the last round. */
export function renderMemory(results) {
  const rows = [];
  for (const [protocol, { memory }] of results) {
    for (const [name, { idle, start, end }] of memory) {
      rows.push([protocol, LABELS[name], ...[idle, start, end, end - start].map(mebibytes)]);
    }
  }
  const head = ['protocol', 'server', 'idle', 'start', 'end', 'growth'];
  return [
    'Resident memory in MiB: before any load, after the warm-up round, after the last round.',
    '',
    table(head, rows, 2),
  ].join('\n');
}

/** How Millrace with one worker stands against its goals, one line for each depth that has one. */
export function renderVerdict(results) {
  const lines = [];
  for (const [protocol, { cells }] of results) {
    for (const [depth, servers] of cells) {
      const goal = GOALS.get(depth);
      const reference = servers.get(betterBaseline(servers));
      const samples = servers.get('millrace');
      if (goal === undefined || reference === undefined || samples === undefined) continue;
      const reached = median(samples.map((sample, round) => sample.perSecond / reference[round].perSecond));
      const verdict = reached >= goal ? 'reached' : 'not reached';
      lines.push(`${protocol}, depth ${depth}: ${reached.toFixed(2)} × node:net, goal ${goal} ${verdict}`);
    }
  }
  return lines;
}

function mebibytes(bytes) {
  return (bytes / 2 ** 20).toFixed(1);
}

function ratioText({ median: middle, low, high }) {
  return `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function countText({ median: middle, low, high }) {
  return `${count(middle)} (${count(low)}–${count(high)})`;
}

function count(value) {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`;
  return value >= 999.5 ? `${(value / 1e3).toPrecision(3)} k` : value.toFixed(0);
}
