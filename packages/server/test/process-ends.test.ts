import { reportOf, runChild, type Ended } from './support/child';

// Each end comes a hundred times at a random moment under load. MILLRACE_ROUNDS sets another number.
const ROUNDS = Number(process.env.MILLRACE_ROUNDS ?? 100);
const SEED = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
/** Processes at a time. */
const SIDE_BY_SIDE = 3;

jest.setTimeout(180_000);

interface ThreadReport {
  readonly before: object;
  readonly after: object;
  readonly wrong: string[];
}

async function endMany(how: string, rounds: number): Promise<{ caught: number; ends: Ended[] }> {
  const ends: Ended[] = [];
  let caught = 0;
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < rounds) {
      const seed = SEED + next++;
      const end = await runChild('main-exits.js', { args: [how, seed] });
      ends.push(end);
      if (!end.stdout.startsWith('{')) throw new Error(`main-exits.js ${how} ${seed}: ${JSON.stringify(end)}`);
      if ((JSON.parse(end.stdout) as { inFlight: number }).inFlight > 1) caught++;
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, run));
  return { caught, ends };
}

const outcomes = (ends: Ended[]): string[] => [...new Set(ends.map(({ code, signal }) => `${code} ${signal}`))];

describe('hazard 1: threads and process exit', () => {
  test.each(['handler', 'main'])('process.exit(7), %s: its code, no signal, no word', async (how) => {
    const { caught, ends } = await endMany(how, ROUNDS);
    expect(outcomes(ends)).toEqual(['7 null']);
    expect(ends.map(({ stderr }) => stderr).join('')).toBe('');
    // Hazard 27: a process that ends with nothing to do proves nothing.
    expect(caught).toBeGreaterThanOrEqual(ROUNDS / 2);
  });

  test.each(['throw', 'throw-here'])("an uncaught error, %s: Node's own report and code", async (how) => {
    const { caught, ends } = await endMany(how, ROUNDS / 2);
    expect(outcomes(ends)).toEqual(['1 null']);
    for (const { stderr } of ends) expect(stderr).toMatch(/nobody catches this[^]*Node\.js v[\d.]+\s*$/);
    expect(caught).toBeGreaterThanOrEqual(ROUNDS / 4);
  });
});

test('hazard 2: addon image: a server in a thread that alone had loaded it ends with the thread, and its port with it', async () => {
  const report = await reportOf<ThreadReport & { rounds: number; refused: number; waiting: number }>(
    'server-in-thread.js',
    { args: [ROUNDS, SEED], limitMs: 150_000 },
  );
  expect(report).toMatchObject({ rounds: ROUNDS, refused: ROUNDS, wrong: [] });
  expect(report.waiting).toBeGreaterThanOrEqual(ROUNDS / 2);
  expect(report.after).toEqual(report.before);
});

describe.each(['terminate', 'exit'])('hazards 3, 18, 27: worker threads end under full load: %s', (how) => {
  test('what was running fails, everything else is answered once and in order, nothing is left', async () => {
    interface Ends extends ThreadReport {
      readonly ends: number;
      readonly caught: number;
      readonly failed: number;
      readonly lost: number;
      readonly closed: { readonly error: number };
      readonly unbalanced: number;
      readonly reasons: string[];
      readonly reopened: number;
    }
    const report = await reportOf<Ends>('worker-ends.js', { args: [how, ROUNDS, SEED], limitMs: 150_000 });
    expect(report).toMatchObject({ ends: ROUNDS, wrong: [], unbalanced: 0, reasons: ['exit'] });
    expect(report.caught).toBeGreaterThanOrEqual(ROUNDS / 2);
    // One message of one connection each time at the most; at least the handlers that were in the middle.
    expect(report.failed).toBeGreaterThanOrEqual(report.caught);
    expect(report.failed).toBeLessThanOrEqual(ROUNDS);
    expect(report.closed.error).toBe(report.failed);
    expect(report.lost).toBe(report.failed);
    expect(report.reopened).toBeGreaterThan(ROUNDS);
    expect(report.after).toEqual(report.before);
  });
});
