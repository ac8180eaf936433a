import { createServer } from '@millrace/server';
import { connectTo, make, portOf, serve } from './support/serve';
import { failure } from './support/wait';

const echo = { handler: { message: (c: { write(m: unknown): unknown }, m: unknown) => void c.write(m) } } as never;

async function echoes(to: number | string): Promise<string> {
  const client = await connectTo(to);
  return (await client.write('hello').read(5)).toString();
}

describe('twice', () => {
  test('a second listen() is refused while the first is under way and after it', async () => {
    const server = make(echo);
    const first = server.listen({ host: '127.0.0.1' });
    expect((await failure(() => server.listen({}))).code).toBe('ERR_SERVER_LISTENING');
    await first;
    expect((await failure(() => server.listen({}))).code).toBe('ERR_SERVER_LISTENING');
    expect(await echoes(portOf(server))).toBe('hello');
  });

  test('after a failure it can try again, with figures of its own', async () => {
    const { port } = await serve(echo);
    const server = make(echo);
    await failure(() => server.listen({ port, host: '127.0.0.1' }));
    await server.listen({ host: '127.0.0.1' });
    expect(await echoes(portOf(server))).toBe('hello');
    expect(server.stats().connections.accepted).toBe(1);
    expect(server.publish('topic', 'nobody listens')).toBe(0);
  });

  test('a closed server is not opened again', async () => {
    const server = createServer(echo);
    await server.close();
    expect((await failure(() => server.listen({}))).code).toBe('ERR_SERVER_CLOSED');
  });

  test('two servers share a port when both want to', async () => {
    const options = { ...(echo as object), reusePort: true } as never;
    const { port } = await serve(options);
    await serve(options, { port, host: '127.0.0.1' });
  });
});

describe('signal', () => {
  test('aborted before: AbortError, nothing begun', async () => {
    const reason = new Error('not today');
    const error = await failure(() => make(echo).listen({ signal: AbortSignal.abort(reason) }));
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  });

  test('aborted while it starts: AbortError, and the port is free', async () => {
    const abort = new AbortController();
    const server = make(echo);
    const listening = server.listen({ host: 'localhost', signal: abort.signal });
    abort.abort();
    expect((await failure(() => listening)).code).toBe('ABORT_ERR');
    expect(server.listening).toBe(false);
  });

  test('aborted later: closes', async () => {
    const abort = new AbortController();
    const { server, port } = await serve(echo, { host: '127.0.0.1', signal: abort.signal });
    const closed = new Promise((resolve) => server.once('close', () => resolve('closed')));
    abort.abort();
    expect(await closed).toBe('closed');
    expect((await failure(() => connectTo(port))).code).toBe('ECONNREFUSED');
  });
});

describe('close() while it starts', () => {
  test.each([0, 1, 2, 5, 20])('after %i turns of the loop', async (turns) => {
    const server = make(echo);
    const listening = server.listen({ host: 'localhost' });
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    const outcome = listening.then(
      () => 'listened',
      (error: NodeJS.ErrnoException) => error.code,
    );
    await server.close();
    expect(['listened', 'ERR_SERVER_CLOSED']).toContain(await outcome);
    expect(server.listening).toBe(false);
    expect(server.address()).toBeNull();
  });
});
