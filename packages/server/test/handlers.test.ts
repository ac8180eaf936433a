import { once } from 'node:events';
import { createServer, fixed, lengthPrefixed, lines, resp, type CloseReason, type Connection } from '@millrace/server';
import { reportOf } from './support/child';
import { handlerModule, make, serve } from './support/serve';
import { failure, until } from './support/wait';

describe('a handler hears', () => {
  test('data, open, messages, close, in this order, with what belongs to each', async () => {
    const log: unknown[] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        data: (connection) => {
          log.push(['data', connection.data]);
          return { port: connection.remotePort, messages: 0 };
        },
        open: (connection, info) => void log.push(['open', info, connection.data]),
        message: (connection, message) => {
          connection.data.messages++;
          log.push(['message', message.utf8()]);
        },
        close: (connection, reason, error) => void log.push(['close', connection.data, reason, error]),
      },
    });
    const client = await connect();
    const { port } = client;
    client.write('one\ntwo\n').end();
    await client.readAll();
    await until(() => log.length === 5);
    expect(log).toEqual([
      ['data', undefined],
      ['open', { reopened: false }, { port, messages: 2 }],
      ['message', 'one'],
      ['message', 'two'],
      ['close', { port, messages: 2 }, 'peer', undefined],
    ]);
    expect(server.stats().connections.closed.peer).toBe(1);
  });

  test('who it talks to, also when that has gone', async () => {
    const seen: Connection[] = [];
    const { server, port, connect } = await serve({ handler: { close: (connection) => void seen.push(connection) } });
    const client = await connect();
    await until(() => server.connections().length === 1);
    const [info] = server.connections();
    const { port: remotePort } = client;
    client.end();
    await until(() => seen.length === 1);
    const connection = seen[0]!;
    expect(connection).toMatchObject({ remoteAddress: '127.0.0.1', remotePort, closed: true });
    expect(connection.id).toBe(`${connection.sequence}:${connection.fd}`);
    expect(info).toMatchObject({ id: connection.id, fd: connection.fd, sequence: connection.sequence, remotePort });
    expect(port).toBeGreaterThan(0);
  });

  test('the local address', async () => {
    const seen: unknown[] = [];
    const { port, connect } = await serve({
      handler: { open: (connection) => void seen.push([connection.localAddress, connection.localPort]) },
    });
    await connect();
    await until(() => seen.length === 1);
    expect(seen).toEqual([['127.0.0.1', port]]);
  });

  test('this as its own object', async () => {
    const handler = {
      count: 0,
      message(connection: Connection) {
        connection.write(String(++this.count));
      },
    };
    const { connect } = await serve({ handler });
    const client = await connect();
    expect((await client.write('x').read(1)).toString()).toBe('1');
  });
});

describe('a connection closes with its reason', () => {
  async function reasonOf(
    end: (client: Awaited<ReturnType<Awaited<ReturnType<typeof serve>>['connect']>>) => void,
    options: object = {},
  ): Promise<[CloseReason, string | undefined]> {
    const reasons: [CloseReason, string | undefined][] = [];
    const { server, connect } = await serve({
      framing: lines({ maxBytes: 100 }),
      handler: {
        close: (_connection, reason, error) =>
          void reasons.push([reason, (error as NodeJS.ErrnoException | undefined)?.code]),
      },
      ...options,
    });
    const client = await connect();
    await until(() => server.stats().connections.open === 1);
    end(client);
    await until(() => reasons.length === 1);
    expect(server.stats().connections.closed[reasons[0]![0]]).toBe(1);
    return reasons[0]!;
  }

  test('peer', async () => expect(await reasonOf((client) => client.end())).toEqual(['peer', undefined]));
  test('reset', async () => expect(await reasonOf((client) => client.reset())).toEqual(['reset', undefined]));
  test('protocol: a frame above the limit', async () => {
    expect(await reasonOf((client) => client.write('x'.repeat(200)).end())).toEqual(['protocol', 'ERR_FRAME_TOO_LARGE']);
  });
  test('protocol: an end in the middle of a frame', async () => {
    expect(await reasonOf((client) => client.write('unfinished').end())).toEqual(['protocol', 'ERR_FRAME_INCOMPLETE']);
  });
});

describe('a peer that breaks the framing', () => {
  test.each([
    ['resp', resp(), '*1\r\n!3\r\nfoo\r\n', /^-ERR Protocol error: expected '\$', got '!'/],
    ['lengthPrefixed', lengthPrefixed({ maxBytes: 10 }), Buffer.from([0, 0, 1, 0, 1]), /^/],
    ['lines', lines({ maxBytes: 10 }), 'x'.repeat(50), /^/],
  ])('%s: is told to error() while it can still be written to, then closes', async (_name, framing, bytes, text) => {
    const log: unknown[] = [];
    const { connect } = await serve({
      framing,
      handler: {
        message: () => void log.push('message'),
        error(connection, error) {
          log.push((error as NodeJS.ErrnoException).code);
          connection.end(`-ERR ${error.message}\r\n`);
        },
        close: (_connection, reason, error) => void log.push(reason, (error as NodeJS.ErrnoException).code),
      },
    });
    const client = await connect();
    client.write(bytes);
    const reply = (await client.readAll()).toString();
    expect(reply).toMatch(text);
    expect(reply).toMatch(/^-ERR .+\r\n$/);
    client.end();
    await until(() => log.length === 3);
    expect(log[0]).toMatch(/^ERR_FRAME_/);
    expect(log).toEqual([log[0], 'protocol', log[0]]);
  });

  test('what came whole before the break is handled first', async () => {
    const log: string[] = [];
    const { connect } = await serve({
      framing: fixed({ bytes: 3 }),
      handler: {
        message: (_connection, message) => void log.push(message.utf8()),
        error: (_connection, error) => void log.push((error as NodeJS.ErrnoException).code!),
      },
    });
    const client = await connect();
    client.write('aaabbbcc').end();
    await client.readAll();
    await until(() => log.length === 3);
    expect(log).toEqual(['aaa', 'bbb', 'ERR_FRAME_INCOMPLETE']);
  });
});

describe('a handler that throws', () => {
  const bad = (kind: string): unknown => {
    if (kind === 'sync') throw new Error('on purpose');
    if (kind === 'async') return Promise.reject(new Error('on purpose'));
    if (kind === 'no error') throw 'a string'; // eslint-disable-line @typescript-eslint/only-throw-error
    return undefined;
  };

  test.each(['sync', 'async', 'no error'])(
    '%s: is reported with the connection\'s id, that connection closes, the batch\'s other messages are handled',
    async (kind) => {
      const log: [string, number][] = [];
      const closes: [number, CloseReason, string | undefined][] = [];
      const errors: [number, string][] = [];
      const { server, connectMany } = await serve({
        framing: lines(),
        handler: {
          message(connection, message) {
            const text = message.utf8();
            log.push([text, connection.remotePort!]);
            connection.send(message);
            if (text === 'bad') return bad(kind) as undefined;
          },
          error: (connection, error) => {
            errors.push([connection.remotePort!, error.message]);
            connection.send('told');
          },
          close: (connection, reason, error) => void closes.push([connection.remotePort!, reason, error?.message]),
        },
      });
      const clients = await connectMany(3);
      const [a, b, c] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
      const reported = once(server, 'handlerError');
      for (const client of clients) client.write(client === b ? 'good\nbad\nafter\n' : 'good\ngood\n');
      const [error, info] = (await reported) as [NodeJS.ErrnoException, { id: string; remotePort: number }];
      const message = kind === 'no error' ? "A handler threw 'a string', which is no Error" : 'on purpose';
      expect(error.message).toBe(message);
      if (kind === 'no error') expect(error).toMatchObject({ code: 'ERR_SERVER_WORKER', cause: 'a string' });
      expect(info.remotePort).toBe(b.port);
      expect(info.id).toMatch(/^\d+:\d+$/);
      expect((await b.readAll()).toString()).toBe('good\nbad\ntold\n');
      b.end();
      for (const client of [a, c]) {
        expect(await client.readLines(2)).toEqual(['good', 'good']);
        expect(await client.write('later\n').readLine()).toBe('later');
      }
      await until(() => closes.length === 1);
      expect(closes).toEqual([[b.port, 'error', message]]);
      expect(errors).toEqual([[b.port, message]]);
      expect(log.some(([text]) => text === 'after')).toBe(false);
      const { messages } = server.stats();
      expect(messages).toMatchObject({ received: 9, handled: 7, failed: 1, inFlight: 0 });
    },
  );

  test.each(['data', 'open', 'drain', 'close', 'error'] as const)('in %s', async (member) => {
    const closes: CloseReason[] = [];
    const { server, connect } = await serve({
      connection: { highWaterBytes: 1_000 },
      framing: lines(),
      handler: {
        message(connection) {
          if (member === 'error') throw new Error('first');
          connection.write(Buffer.alloc(2_000));
        },
        close: (_connection, reason) => void closes.push(reason),
        [member](_connection: unknown, reason: CloseReason) {
          if (member === 'close') closes.push(reason);
          throw new Error(`in ${member}`);
        },
      },
    });
    const reports: string[] = [];
    server.on('handlerError', (error) => reports.push(error.message));
    const client = await connect();
    client.write('x\n');
    if (member === 'close') client.end();
    await client.readAll();
    client.end();
    await until(() => closes.length === 1);
    await until(() => reports.includes(`in ${member}`));
    expect(closes).toEqual([member === 'close' ? 'peer' : 'error']);
    // Others go on.
    if (member === 'drain') expect(reports).toEqual(['in drain']);
    expect(server.stats().connections.open).toBe(0);
  });

  test('whose report has nobody to listen to', async () => {
    const { connect } = await serve({
      handler: {
        message() {
          throw new Error('on purpose');
        },
      },
    });
    const client = await connect();
    await client.write('x').readAll();
  });

  test('in a worker thread: the report has the error\'s message, code, stack and cause', async () => {
    const { server, connect } = await serve({ framing: lines(), handler: handlerModule('throws.js'), workers: 1 });
    const client = await connect();
    const reported = once(server, 'handlerError');
    client.write('bad\n');
    const [error, info] = (await reported) as [NodeJS.ErrnoException & { detail: unknown }, { remotePort: number }];
    expect(error).toMatchObject({ message: 'bad', name: 'TypeError', code: 'ERR_OF_MINE', detail: 5 });
    expect(error).toBeInstanceOf(Error);
    expect(error.stack).toContain('throws.js');
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ERR_CAUSE');
    expect(info.remotePort).toBe(client.port);
    await client.readAll();
  });

  test('over and over in worker threads: reports are bounded, and none is lost in the figures', async () => {
    const { server, connectMany } = await serve({ framing: lines(), handler: handlerModule('throws.js'), workers: 2 });
    let reports = 0;
    server.on('handlerError', () => reports++);
    for (let round = 0; round < 20; round++) {
      const clients = await connectMany(20);
      await Promise.all(clients.map((client) => client.write('bad\n').readAll()));
      clients.forEach((client) => client.end());
    }
    await until(() => server.stats().connections.closed.error === 400);
    await until(() => reports === 400);
    expect(server.stats().messages).toMatchObject({ received: 400, failed: 400, handled: 0, inFlight: 0 });
  });

  test('a listener of handlerError that throws is the process\'s matter, not the batch\'s', async () => {
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        message(connection, message) {
          if (message.utf8() === 'bad') throw new Error('on purpose');
          connection.send(message);
        },
      },
    });
    const client = await connect();
    const bad = await connect();
    await until(() => server.stats().connections.open === 2);
    const caught: string[] = [];
    // jest keeps the process's own listeners: what is thrown in a tick is seen there.
    const tick = jest.spyOn(process, 'nextTick').mockImplementation(((run: () => void) =>
      queueMicrotask(() => {
        try {
          run();
        } catch (error) {
          caught.push((error as Error).message);
        }
      })) as typeof process.nextTick);
    server.on('handlerError', () => {
      throw new Error('a listener failed');
    });
    bad.write('bad\n');
    await until(() => server.stats().messages.failed === 1);
    tick.mockRestore();
    expect(await client.write('one\ntwo\n').readLines(2)).toEqual(['one', 'two']);
    expect(caught).toEqual(['a listener failed']);
  });
});

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
      const answer = JSON.parse(await client.write('who\n').readLine()) as { workerIndex: number; isMainThread: boolean };
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
    ['syntax-error.js', /syntax-error\.js/, undefined],
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
