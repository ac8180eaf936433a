import { shuffled } from './statistics.mjs';

/**
 * Visits every contender once a round, in an order of that round's, so that what the machine does meanwhile meets all of
 * them alike. A round before the first one warms up and is dropped.
 *
 * @template Sample
 * @param {{ name: string, sample: () => Sample | Promise<Sample> }[]} contenders
 * @param {{ rounds: number, random: () => number, say?: (text: string) => void }} context
 * @returns {Promise<Map<string, Sample[]>>} by name, one sample a round
 */
export async function measureRounds(contenders, { rounds, random, say = () => undefined }) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  if (samples.size !== contenders.length) throw new Error('two contenders have one name');
  for (let round = 0; round <= rounds; round += 1) {
    say(round === 0 ? 'warm-up round' : `round ${round} of ${rounds}`);
    for (const { name, sample } of shuffled(contenders, random)) {
      const value = await sample();
      if (round > 0) samples.get(name).push(value);
    }
  }
  return samples;
}
