import { lines, raw, type Connection, type Message } from '@millrace/server';
import { once } from 'node:events';
import { native } from '../dist/native';
import { reportOf } from './support/child';
import { handlerModule, make, serve } from './support/serve';
import { deferred, failure, until } from './support/wait';

const getter = (): never => {
  throw new Error('a getter failed');
};

describe("the application's code fails where it is least expected", () => {
  const answers: [string, () => unknown][] = [
    ['a then that throws', () => Object.defineProperty({}, 'then', { get: getter })],
    ['a native promise whose own then throws', () => Object.assign(Promise.reject(new Error('x')), { then: getter })],
    [
      'a value that cannot be shown',
      () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw { [Symbol.for('nodejs.util.inspect.custom')]: getter };
      },
    ],
    [
      'a revoked proxy',
      () => {
        const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
        revoke();
        throw proxy;
      },
    ],
  ];
  test.each(answers)('%s: the messages behind in the batch are handled', async (_name, answer) => {
    const errors: Error[] = [];
    const { server, connectMany } = await serve({
      framing: lines(),
      handler: {
        message(connection: Connection, message: Message) {
          if (message.utf8() === 'bad') return answer() as void;
          connection.send(message);
        },
      },
    });
    server.on('handlerError', (error) => void errors.push(error));
    const [bad, good] = await connectMany(2);
    bad!.write('bad\n');
    expect(await good!.write('one\ntwo\n').readLines(2)).toEqual(['one', 'two']);
    await bad!.end().readAll();
    await until(() => errors.length === 1);
    await until(() => server.stats().connections.closed.error === 1);
    expect(server.stats().messages).toMatchObject({ received: 3, handled: 2, failed: 1, inFlight: 0 });
  });

  test.each(['property', 'cause'])('a worker reports an error whose %s cannot be read', async (name) => {
    const { server, connectMany } = await serve({
      framing: lines(),
      handler: handlerModule('awkward-throws.js'),
      workers: 1,
    });
    const reported = once(server, 'handlerError') as Promise<[Error]>;
    const [bad, good] = await connectMany(2);
    bad!.write(`${name}\n`);
    expect((await reported)[0].message).toBe('on purpose');
    expect(await good!.write('one\n').readLine()).toBe('one');
    expect(server.stats().workers[0]!.replaced).toBe(0);
  });

  test.each(['close', 'error'])('a rejection of an async %s is reported', async (member) => {
    const errors: string[] = [];
    const { server, connect } = await serve({
      framing: lines(),
      handler: {
        message: getter,
        [member]: async () => {
          await Promise.resolve();
          throw new Error(`${member} failed`);
        },
      },
    });
    server.on('handlerError', (error) => void errors.push(error.message));
    await (await connect()).write('x\n').readAll();
    await until(() => errors.length === 2);
    expect(errors.sort()).toEqual(['a getter failed', `${member} failed`]);
  });

  test('without memory to park a message: its handler never sees another one, and may fail', async () => {
    const later = deferred();
    const seen: { failure?: Error; settled?: boolean } = {};
    const { connectMany } = await serve({
      framing: lines(),
      handler: {
        async message(connection: Connection, message: Message) {
          if (message.utf8() !== 'waits') {
            // Shown while the other one is suspended.
            later.resolve();
            connection.send(message);
            await Promise.resolve();
            return;
          }
          await later.promise;
          seen.failure = await failure(() => message.utf8());
          seen.settled = true;
          throw new Error('nobody is to hear this');
        },
      },
    });
    const [first, second] = await connectMany(2);
    const park = jest.spyOn(native, 'park').mockReturnValueOnce(0xffffffff);
    first!.write('waits\n');
    await first!.readAll();
    park.mockRestore();
    expect(await second!.write('other\n').readLine()).toBe('other');
    await until(() => seen.settled === true);
    expect(seen.failure).toMatchObject({ code: 'ERR_MESSAGE_EXPIRED' });
  });
});

test('a module that fails and keeps its thread alive: listen rejects', async () => {
  const server = make({ handler: handlerModule('keeps-open-and-fails.js'), workers: 1 });
  const error = await failure(() => server.listen({ host: '127.0.0.1' }));
  expect(error).toMatchObject({
    code: 'ERR_WORKER_MODULE',
    message: expect.stringMatching(/loading failed/) as string,
  });
});

test('a worker that stands still outside of its handlers is replaced, although a listener throws', async () => {
  type Report = { caught: string[]; reason: string; answer: string };
  const { caught, ...rest } = await reportOf<Report>('stuck-listener-throws.js');
  expect(rest).toEqual({ reason: 'stuck', answer: 'waits\n' });
  // On a busy machine the successor, too, may stand still for so long.
  expect(new Set(caught)).toEqual(new Set(['a listener failed']));
});

test('without workers a handler that blocked this thread is reported afterwards, once', async () => {
  const { server, connect } = await serve({
    framing: lines(),
    warnAfterMs: 60,
    handler: {
      message(connection: Connection, message: Message) {
        const end = performance.now() + (message.utf8() === 'long' ? 70 : 0);
        while (performance.now() < end);
        connection.send(message);
      },
    },
  });
  const reports: object[] = [];
  server.on('warn', (report) => void reports.push(report));
  const warned = once(server, 'warn');
  const client = await connect();
  await client.write('long\n').readLine();
  await warned;
  await client.write('short\n').readLine();
  expect(reports).toHaveLength(1);
  expect(reports[0]).toMatchObject({ workerIndex: 0, elapsedMs: expect.any(Number) as number });
});

test('a connection that is left when its thread lets go of the server is closed', async () => {
  let kept: Connection | undefined;
  const { server, connect } = await serve({
    framing: raw(),
    handler: { open: (connection: Connection) => void (kept = connection) },
  });
  await connect();
  await until(() => kept !== undefined);
  const { signal } = kept!;
  // What the receiver would do in time is not awaited: as with a system that is too busy.
  const control = jest.spyOn(native, 'control').mockImplementation(() => {});
  await server.close({ drainMs: 0 });
  control.mockRestore();
  expect(kept).toMatchObject({ closed: true });
  expect(signal.aborted).toBe(true);
  expect(kept!.write(Buffer.alloc(100))).toBe(false);
});
