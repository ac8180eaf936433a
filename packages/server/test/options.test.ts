import { createServer, type ServerOptions } from '@millrace/server';
import { failure } from './support/wait';

const refusal = (options: object): Promise<NodeJS.ErrnoException> =>
  failure(() => createServer({ handler: {}, ...options }));

// name, what is refused, its code, what the message says was received
const refused: [string, unknown, string, RegExp][] = [
  ['maxConnections', '10', 'ERR_INVALID_ARG_TYPE', /type string \('10'\)/],
  ['maxConnections', 0, 'ERR_OUT_OF_RANGE', /Received 0/],
  ['maxConnections', 1.5, 'ERR_OUT_OF_RANGE', /Received 1\.5/],
  ['maxConnections', Number.NaN, 'ERR_OUT_OF_RANGE', /Received NaN/],
  ['maxConnections', 1_000_001, 'ERR_OUT_OF_RANGE', /Received 1000001/],
  ['maxConnectionsPerAddress', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['acceptRate', -5, 'ERR_OUT_OF_RANGE', /Received -5/],
  ['idleTimeoutMs', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['idleTimeoutMs', null, 'ERR_INVALID_ARG_TYPE', /Received null/],
  ['firstByteTimeoutMs', Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE', /Received Infinity/],
  ['maxLifetimeMs', 2 ** 32, 'ERR_OUT_OF_RANGE', /Received 4294967296/],
  ['maxSubscriptions', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['warnAfterMs', true, 'ERR_INVALID_ARG_TYPE', /type boolean \(true\)/],
  ['stuckAfterMs', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['ioThreads', 0, 'ERR_OUT_OF_RANGE', /Received 0/],
  ['noDelay', 1, 'ERR_INVALID_ARG_TYPE', /type number \(1\)/],
  ['reusePort', 'yes', 'ERR_INVALID_ARG_TYPE', /type string \('yes'\)/],
  ['topology', 'ring', 'ERR_INVALID_ARG_VALUE', /Received 'ring'/],
  ['dispatch', 'random', 'ERR_INVALID_ARG_VALUE', /Received 'random'/],
  ['topology', 'reactor', 'ERR_SERVER_TOPOLOGY', /'reactor'/],
  ['topology', 'inline', 'ERR_SERVER_TOPOLOGY', /'inline'/],
  ['dispatch', 'shared', 'ERR_SERVER_TOPOLOGY', /'shared'/],
  ['memory', 5, 'ERR_INVALID_ARG_TYPE', /type number \(5\)/],
  ['memory', null, 'ERR_INVALID_ARG_TYPE', /Received null/],
  ['memory.maxBytes', 1024, 'ERR_OUT_OF_RANGE', /Received 1024/],
  ['memory.maxBytes', 2 ** 33, 'ERR_OUT_OF_RANGE', /Received 8589934592/],
  ['queues', 'big', 'ERR_INVALID_ARG_TYPE', /type string \('big'\)/],
  ['queues.work', 4096, 'ERR_INVALID_ARG_TYPE', /type number \(4096\)/],
  ['queues.work.capacity', 1, 'ERR_OUT_OF_RANGE', /Received 1/],
  ['queues.receive.capacity', 0, 'ERR_OUT_OF_RANGE', /Received 0/],
  ['queues.send.capacity', 'x', 'ERR_INVALID_ARG_TYPE', /type string \('x'\)/],
  ['connection', 7, 'ERR_INVALID_ARG_TYPE', /type number \(7\)/],
  ['connection.readBudgetBytes', 0, 'ERR_OUT_OF_RANGE', /Received 0/],
  ['connection.readBudgetUs', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['connection.highWaterBytes', 0, 'ERR_OUT_OF_RANGE', /Received 0/],
  ['connection.lowWaterBytes', 65_537, 'ERR_OUT_OF_RANGE', /Received 65537/],
  ['connection.maxWriteBytes', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['connection.slowConsumer', 'wait', 'ERR_INVALID_ARG_VALUE', /Received 'wait'/],
  ['framing', 'lines', 'ERR_INVALID_ARG_TYPE', /'lines'/],
  ['framing', {}, 'ERR_INVALID_ARG_VALUE', /framing/],
  ['handler', undefined, 'ERR_INVALID_ARG_TYPE', /undefined/],
  ['handler', null, 'ERR_INVALID_ARG_TYPE', /null/],
  ['handler', 5, 'ERR_INVALID_ARG_TYPE', /number/],
  ['handler.message', 'no function', 'ERR_INVALID_ARG_TYPE', /string/],
  ['workers', -1, 'ERR_OUT_OF_RANGE', /Received -1/],
  ['workers', 65, 'ERR_OUT_OF_RANGE', /Received 65/],
  ['workers', '2', 'ERR_INVALID_ARG_TYPE', /type string \('2'\)/],
  ['workers', 2, 'ERR_INVALID_ARG_VALUE', /Received 2/],
];

function nested(path: string, value: unknown): object {
  const [first, ...rest] = path.split('.');
  return { [first!]: rest.length === 0 ? value : nested(rest.join('.'), value) };
}

describe('createServer refuses', () => {
  test.each(refused)('%s: %p', async (path, value, code, received) => {
    const error = await refusal(nested(path, value));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(received);
    if (code !== 'ERR_SERVER_TOPOLOGY') {
      expect(error).toBeInstanceOf(code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError);
      expect(error.message).toContain(path.split('.').at(-1));
    }
  });

  test.each([
    ['resourceLimits', 5],
    ['env', 'A=1'],
    ['execArgv', '--no-warnings'],
    ['execArgv', [1]],
  ])('%s: %p, for worker threads', async (name, value) => {
    const error = await refusal({ handler: new URL('file:///handler.js'), [name]: value });
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE');
    expect(error.message).toContain(name);
  });

  test.each([undefined, null, 5, 'options'])('options: %p', async (options) => {
    const error = await failure(() => createServer(options as unknown as ServerOptions));
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

test('defaults can be written out, and limits of peers switched off by 0', () => {
  createServer({
    handler: {},
    workers: 0,
    topology: 'auto',
    ioThreads: 2,
    dispatch: 'sticky',
    idleTimeoutMs: 0,
    firstByteTimeoutMs: 0,
    maxLifetimeMs: 0,
    maxConnectionsPerAddress: 0,
    acceptRate: 0,
    maxSubscriptions: 0,
    warnAfterMs: 0,
    stuckAfterMs: 0,
    memory: {},
    queues: { work: {}, receive: {}, send: {} },
    connection: { readBudgetUs: 0, lowWaterBytes: 0, maxWriteBytes: 0 },
  });
});

test('undefined is the default', () => {
  const server = createServer({ handler: {}, maxConnections: undefined } as unknown as ServerOptions);
  expect(server.memoryPlan()).toEqual(createServer({ handler: {} }).memoryPlan());
});
