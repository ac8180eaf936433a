// npm run bench -- timer-wheel
import { fileURLToPath } from 'node:url';
import { bench } from '../../../scripts/bench/bench.mjs';
import { childSampler } from '../../../scripts/bench/child.mjs';
import { renderComparison } from '../../../scripts/bench/comparison.mjs';
import { nativeSamples } from '../../../scripts/bench/native.mjs';
import { measureRounds } from '../../../scripts/bench/rounds.mjs';

const CHILD = fileURLToPath(new URL('timers.mjs', import.meta.url));
const KINDS = ['setTimeout', 'schedule', 'scheduleMany', 'wheel.setTimeout'];
const NATIVE_TIMERS = 1_000_000;

await bench(
  import.meta.url,
  'timer-wheel',
  async (context) => {
    const timers = context.quick ? 100_000 : 1_000_000;
    const contenders = KINDS.map((kind) => ({
      name: kind,
      sample: childSampler(CHILD, [kind, timers], { flags: ['--expose-gc'] }),
    }));
    const samples = await measureRounds(contenders, context);
    const of = (kind, figure) => samples.get(kind).map((sample) => sample[figure]);
    const row = (what, kind, figure, goal, unit) => ({
      what,
      ours: of(kind, figure),
      peer: { name: 'setTimeout', samples: of('setTimeout', figure) },
      goal,
      unit,
    });
    const javascript = [
      row('one by one, the first time', 'schedule', 'first', { atLeast: 10 }),
      row('one by one, again', 'schedule', 'again', { atLeast: 10 }),
      row('in batches of 1,000, the first time', 'scheduleMany', 'first', { atLeast: 20 }),
      row('in batches of 1,000, again', 'scheduleMany', 'again', { atLeast: 20 }),
      row('with callbacks, the first time', 'wheel.setTimeout', 'first', { atLeast: 1 }),
      row('with callbacks, again', 'wheel.setTimeout', 'again', { atLeast: 1 }),
      row('memory', 'schedule', 'bytes', { atMost: 0.1 }, 'B'),
      row('memory, with callbacks', 'wheel.setTimeout', 'bytes', undefined, 'B'),
    ];

    const native = await nativeSamples('timer_wheel', context, {
      filter: '^(schedule|schedule_in_a_heap|cancel/shuffled:1|expire/step_ms:1|expire_from_a_heap)$',
    });
    const each = (name) => native.get(name).map((ns) => ns / NATIVE_TIMERS);
    const heap = (name) => ({ name: 'std::priority_queue', samples: each(name) });
    const cpp = [
      { what: 'schedule', ours: each('schedule'), peer: heap('schedule_in_a_heap') },
      {
        what: 'cancel, in random order',
        ours: each('cancel/shuffled:1'),
        peer: { name: '', missing: 'a heap cannot' },
      },
      { what: 'expire, tick by tick', ours: each('expire/step_ms:1'), peer: heap('expire_from_a_heap') },
    ];

    const count = timers.toLocaleString('en');
    return {
      sections: [
        `JavaScript, to create and cancel one of ${count} live timers with 60,000 distinct delays:\n\n${renderComparison(javascript)}`,
        `C++, one of 1,000,000 timers with 60,000 distinct times:\n\n${renderComparison(cpp)}`,
      ],
    };
  },
  { rounds: 7 },
);
