import { runModule } from './run-module';

const evaluate = async (source: string): Promise<unknown> => JSON.parse((await runModule(source)).stdout);

const judge = (row: object): Promise<unknown> =>
  evaluate(`
    import { ratios, reached } from '../bench/comparison.mjs';
    const row = ${JSON.stringify(row)};
    console.log(JSON.stringify({ ratios: ratios(row), reached: reached(row) ?? 'unknown' }));`);

const peer = { name: 'peer', samples: [20, 40, 30] };

test('a time that may be so much of the peer’s', async () => {
  const row = { ours: [10, 10, 10], peer, goal: { atMost: 0.4 } };
  expect(await judge(row)).toEqual({ ratios: [0.5, 0.25, 10 / 30], reached: true });
  expect(await judge({ ...row, goal: { atMost: 0.3 } })).toMatchObject({ reached: false });
});

test('a time that must be so many times better', async () => {
  const row = { ours: [10, 10, 10], peer, goal: { atLeast: 3 } };
  expect(await judge(row)).toEqual({ ratios: [2, 4, 3], reached: true });
});

test('a rate that must be so many times better', async () => {
  const row = { ours: [60, 60, 60], peer, rate: true, goal: { atLeast: 2.5 } };
  expect(await judge(row)).toEqual({ ratios: [3, 1.5, 2], reached: false });
});

test('a figure of our own, and a peer that is not there', async () => {
  expect(await judge({ ours: [4, 6, 5], goal: { atMost: 5 } })).toMatchObject({ reached: true });
  const missing = { name: 'peer', missing: 'apt-get install peer' };
  const source = `
    import { reached, renderComparison } from '../bench/comparison.mjs';
    const row = { what: 'pair', ours: [1], peer: ${JSON.stringify(missing)}, goal: { atMost: 1 } };
    console.log(JSON.stringify([reached(row) ?? 'unknown', renderComparison([row])]));`;
  expect(await evaluate(source)).toEqual(['unknown', expect.stringContaining('apt-get install peer')]);
});

test('the better of several peers', async () => {
  const source = `
    import { betterOf } from '../bench/comparison.mjs';
    const peers = [{ name: 'slow', samples: [3, 9, 3] }, { name: 'gone' }, { name: 'fast', samples: [1, 2, 8] }];
    console.log(JSON.stringify([betterOf(peers).name, betterOf(peers, { rate: true }).name, betterOf([peers[1]]).name]));`;
  expect(await evaluate(source)).toEqual(['fast', 'slow', 'gone']);
});

test('every contender is visited once a round, in an order that the seed repeats', async () => {
  const source = `
    import { measureRounds } from '../bench/rounds.mjs';
    import { randomFrom } from '../bench/statistics.mjs';
    const visits = async (seed) => {
      const order = [];
      const contenders = ['a', 'b', 'c'].map((name) => ({ name, sample: () => order.push(name) }));
      const samples = await measureRounds(contenders, { rounds: 4, random: randomFrom(seed) });
      return { order: order.join(''), counts: [...samples.values()].map((list) => list.length) };
    };
    console.log(JSON.stringify([await visits(1), await visits(1), await visits(2)]));`;
  const [first, again, other] = (await evaluate(source)) as { order: string; counts: number[] }[];
  expect(first!.counts).toEqual([4, 4, 4]);
  expect(first!.order.match(/.../g)!.map((round) => [...round].sort().join(''))).toEqual(Array(5).fill('abc'));
  expect(again).toEqual(first);
  expect(other!.order).not.toBe(first!.order);
});
