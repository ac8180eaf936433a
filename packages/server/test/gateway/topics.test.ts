import { topicOf } from '../../dist/gateway/topics.js';
import { pick, withSeed } from './seed';

test('a topic says what, in which protocol', () => {
  expect(topicOf('channel', 2, 'tick:BTCUSDT')).toBe('c2:tick:BTCUSDT');
  expect(topicOf('pattern', 3, 'tick:*')).toBe('p3:tick:%2a');
});

test('no topic is a pattern, and no two names have one topic', async () => {
  await withSeed((random) => {
    const names = new Set<string>();
    for (let i = 0; i < 5000; i++) {
      const letters = ['a', '*', '?', '[', ']', '\\', '%', '2', 'a', '\0', '\n', '\xff'];
      names.add(Array.from({ length: random.below(6) }, () => pick(random, letters)).join(''));
    }
    const topics = [...names].map((name) => topicOf('channel', 2, name));
    expect(new Set(topics).size).toBe(names.size);
    for (const topic of topics) expect(topic).not.toMatch(/[*?[\]\\\x00-\x1f]/);
  });
});
