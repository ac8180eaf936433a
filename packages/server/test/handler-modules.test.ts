import { createServer, lines } from '@millrace/server';
import { reportOf } from './support/child';
import { handlerModule, make, serve } from './support/serve';
import { failure } from './support/wait';

describe('modules', () => {
  test('a handler object is for this thread', async () => {
    const error = await failure(() => createServer({ handler: {}, workers: 1 } as never));
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
  });

  test.each([1, 2])('workers: %i with a module: start, echo, stop', async (workers) => {
    for (const handler of [handlerModule('whoami.js'), handlerModule('whoami.js').pathname]) {
      const { server, connect, connectMany } = await serve({
        framing: lines(),
        handler,
        workers,
        workerData: { greeting: 'hello' },
      });
      const client = await connect();
      const answer = JSON.parse(await client.write('who\n').readLine()) as {
        workerIndex: number;
        isMainThread: boolean;
      };
      expect(answer).toMatchObject({ started: true, workerData: { greeting: 'hello' }, isMainThread: false });
      // Fewest connections first: everybody gets some.
      const clients = await connectMany(8);
      const answers = await Promise.all(clients.map((one) => one.write('who\n').readLine()));
      const counts = new Map<number, number>();
      for (const text of answers) {
        const { workerIndex } = JSON.parse(text) as { workerIndex: number };
        counts.set(workerIndex, (counts.get(workerIndex) ?? 0) + 1);
      }
      expect([...counts.values()].sort()).toEqual(workers === 2 ? [4, 4] : [8]);
      expect(server.stats().workers.map(({ workerIndex }) => workerIndex)).toEqual(workers === 2 ? [0, 1] : [0]);
    }
  });

  test.each(['es-module.mjs', 'compiled-default.js'])('%s: the default export is found', async (name) => {
    const { connect } = await serve({ framing: lines(), handler: handlerModule(name), workers: 1 });
    expect(await (await connect()).write('x\n').readLine()).toBe(name);
  });

  // In a process of its own, which must end by itself afterwards: nothing stays. (And jest cannot import().)
  const failing: [string, RegExp, string | undefined][] = [
    ['not-there.js', /not-there\.js/, 'ERR_MODULE_NOT_FOUND'],
    ['imports-nothing.mjs', /notThere/, undefined],
    ['throws-on-load.js', /loading failed/, 'ERR_OF_MINE'],
    ['exports-nothing.js', /"default" argument must be an object/, 'ERR_INVALID_ARG_TYPE'],
    ['exports-wrong-member.js', /"default\.message" property must be a function/, 'ERR_INVALID_ARG_TYPE'],
    ['start-throws.js', /start failed/, 'ERR_OF_MINE'],
    ['start-rejects.js', /start failed/, 'ERR_OF_MINE'],
  ];
  test.each([0, 1, 2])('with %i workers listen rejects when the module fails, and nothing stays', async (workers) => {
    const names = failing.map(([name]) => name);
    const reports = await reportOf<{ code: string; message: string; cause: { code?: string; isError: boolean } }[]>(
      'handler-modules.js',
      { args: [workers, ...names] },
    );
    failing.forEach(([name, text, causeCode], i) => {
      expect({ name, ...reports[i] }).toMatchObject({
        name,
        code: 'ERR_WORKER_MODULE',
        message: expect.stringMatching(text),
        cause: causeCode === undefined ? { isError: true } : { isError: true, code: causeCode },
        listening: false,
        address: null,
        echoedAfterwards: 'with another one',
      });
    });
  });

  test('a module on the main thread', async () => {
    const [report] = await reportOf<object[]>('handler-modules.js', { args: [0, 'whoami.js'] });
    expect(report).toEqual({ answer: { workerIndex: 0, workerData: 'data', isMainThread: true, started: true } });
  });

  test.each(['exits-on-load.js', 'start-exits.js', 'start-fails-later.js', 'start-never-settles.js'])(
    'a worker that ends before it is ready: %s',
    async (name) => {
      const server = make({ handler: handlerModule(name), workers: 2 });
      const error = await failure(() => server.listen({ host: '127.0.0.1' }));
      expect(error.code).toBe('ERR_WORKER_MODULE');
      expect((error.cause as Error).message).toMatch(/ended with code|nobody catches this/);
    },
  );

  test('workerData that cannot be sent to a thread', async () => {
    const server = make({ handler: handlerModule('echo.js'), workers: 2, workerData: () => {} });
    expect((await failure(() => server.listen({ host: '127.0.0.1' }))).name).toBe('DataCloneError');
    expect(server.listening).toBe(false);
  });
});
