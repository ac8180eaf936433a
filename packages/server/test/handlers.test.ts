import { fixed, lengthPrefixed, lines, resp, type CloseReason, type Connection } from '@millrace/server';
import { serve } from './support/serve';
import { until } from './support/wait';

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
    expect(await reasonOf((client) => client.write('x'.repeat(200)).end())).toEqual([
      'protocol',
      'ERR_FRAME_TOO_LARGE',
    ]);
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
