import { median, spread } from './statistics.mjs';
import { digits, table } from './table.mjs';

/**
 * One row: what was measured, ours beside a peer's, and how far it had to come.
 *
 * @typedef {object} Row
 * @property {string} what
 * @property {number[]} ours – one sample a round
 * @property {{ name: string, samples?: number[], missing?: string }} [peer] – its samples, of the same rounds; or why
 *   there are none. Left out: the goal is for our own median
 * @property {string} [unit] – of the samples: 'ns' if left out
 * @property {boolean} [rate] – a sample is better the higher it is (messages a second); times and bytes are not
 * @property {{ atMost: number } | { atLeast: number }} [goal] – atMost: ours ÷ peer. atLeast: how many times better
 *   ours is, thus peer ÷ ours for times and bytes, ours ÷ peer for rates
 */

/**
 * Of several peers the one with the better median, or what is missing.
 *
 * @param {NonNullable<Row['peer']>[]} peers
 */
export function betterOf(peers, { rate = false } = {}) {
  const present = peers.filter(({ samples }) => samples !== undefined);
  if (present.length === 0) return peers[0];
  return present.sort((a, b) => (median(a.samples) - median(b.samples)) * (rate ? -1 : 1))[0];
}

/** The ratio of each round, the way round that the row's goal wants it. @param {Row} row */
export function ratios({ ours, peer, rate = false, goal = {} }) {
  if (peer === undefined) return ours;
  const upsideDown = !rate && goal.atLeast !== undefined;
  return ours.map((sample, round) => (upsideDown ? peer.samples[round] / sample : sample / peer.samples[round]));
}

/** Whether the goal was reached; undefined without a goal or without the peer. @param {Row} row */
export function reached(row) {
  if (row.goal === undefined || (row.peer !== undefined && row.peer.samples === undefined)) return undefined;
  const middle = median(ratios(row));
  return row.goal.atMost !== undefined ? middle <= row.goal.atMost : middle >= row.goal.atLeast;
}

/** The rows as a table. A goal that was missed says so in its last column. @param {Row[]} rows */
export function renderComparison(rows) {
  const head = ['what', 'ours', 'peer', 'theirs', 'ratio (quartiles)', 'goal', 'reached'];
  return table(head, rows.map(cells), 1);
}

/** What belongs above the tables of renderComparison(). */
export const HOW_TO_READ = [
  'Medians of the rounds. The ratio is the median of the rounds’ ratios, quartiles in parentheses:',
  'ours to the peer’s where the goal is ≤, how many times better ours is where it is ≥.',
].join('\n');

function cells(row) {
  const { what, ours, peer, unit = 'ns', goal } = row;
  const amount = (samples) => `${digits(median(samples))} ${unit}`.trim();
  const sign = goal?.atMost !== undefined ? `≤ ${goal.atMost}` : goal === undefined ? '' : `≥ ${goal.atLeast}`;
  const wanted = goal === undefined ? '' : peer === undefined ? `${sign} ${unit}` : `${sign}×`;
  const verdict = reached(row);
  const saysReached = goal === undefined ? '' : verdict === undefined ? 'not measured' : verdict ? 'yes' : 'no';
  if (peer === undefined) return [what, amount(ours), '', '', '', wanted, saysReached];
  if (peer.samples === undefined) {
    return [what, amount(ours), peer.name, peer.missing ?? 'missing', '', wanted, saysReached];
  }
  return [what, amount(ours), peer.name, amount(peer.samples), ratioText(ratios(row)), wanted, saysReached];
}

function ratioText(values) {
  const { median: middle, low, high } = spread(values);
  return `${digits(middle)} (${digits(low)}–${digits(high)})`;
}
