import { globMatches } from '../../dist/gateway/glob.js';
import { pick, withSeed } from './seed';

test.each([
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['a*c', 'abbbc', true],
  ['a*c', 'abbb', false],
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h[ae]llo', 'hallo', true],
  ['h[ae]llo', 'hillo', false],
  ['h[^e]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['h[a-c]llo', 'hbllo', true],
  ['h[c-a]llo', 'hbllo', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['[\\]]', ']', true],
  ['[ab', 'a', true],
  ['[ab', 'c', false],
  ['[]', 'a', false],
  ['[^]', 'a', true],
  ['a[', 'a', false],
  ['\\', '\\', true],
  ['**a**', 'bab', true],
  ['tick:*', 'tick:BTCUSDT', true],
  ['*\xff', 'a\xff', true],
])('%j on %j: %s', (pattern, text, matches) => {
  expect(globMatches(pattern, text)).toBe(matches);
});

test('a pattern of many stars does not take for ever', () => {
  expect(globMatches(`${'*a'.repeat(40)}*b`, 'a'.repeat(5000))).toBe(false);
});

test('stars and question marks match what the regular expression matches', async () => {
  await withSeed((random) => {
    for (let i = 0; i < 5000; i++) {
      const pattern = Array.from({ length: random.below(8) }, () => pick(random, ['a', 'b', '?', '*'])).join('');
      const text = Array.from({ length: random.below(8) }, () => pick(random, ['a', 'b'])).join('');
      const expression = new RegExp(`^${pattern.replaceAll('?', '.').replaceAll('*', '.*')}$`);
      const expected = expression.test(text);
      if (globMatches(pattern, text) !== expected) expect({ pattern, text }).toEqual({ matches: expected });
    }
  });
});
