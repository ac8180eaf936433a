import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as api from '@millrace/epoll';
import { Epoll, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EventFd } from '@millrace/epoll';
import { closedDescriptor, openPipe } from './fifo';

type Arrival = [error: NodeJS.ErrnoException | null, fd: number, events: number];

const opened: Disposable[] = [];
afterEach(() => {
  for (const resource of opened.splice(0)) resource[Symbol.dispose]();
});

function open<T extends Disposable>(resource: T): T {
  opened.push(resource);
  return resource;
}

/** An Epoll that notes what comes; next() waits for the next event. */
function watch(onEvent: (...arrival: Arrival) => void = () => {}) {
  const arrivals: Arrival[] = [];
  let wake = () => {};
  const poller = open(
    new Epoll((...arrival) => {
      arrivals.push(arrival);
      onEvent(...arrival);
      wake();
    }),
  );
  const next = async (): Promise<Arrival> => {
    while (arrivals.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return arrivals.shift()!;
  };
  return { poller, arrivals, next };
}

/** Two turns of the event loop: whatever was ready has been reported. */
async function turns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

const thrownBy = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
};

test('the flags are the numbers of epoll_ctl(2), as exports and as statics', () => {
  const flags = {
    EPOLLIN: 1,
    EPOLLPRI: 2,
    EPOLLOUT: 4,
    EPOLLERR: 8,
    EPOLLHUP: 0x10,
    EPOLLRDHUP: 0x2000,
    EPOLLEXCLUSIVE: 2 ** 28,
    EPOLLONESHOT: 2 ** 30,
    EPOLLET: 2 ** 31,
  };
  expect(api).toMatchObject(flags);
  expect({ ...Epoll }).toEqual(flags);
});

test('the callback gets null, the descriptor and its events; members can be chained', async () => {
  const event = open(new EventFd({ initial: 1 }));
  const { poller, next } = watch((_error, fd) => poller.remove(fd));
  expect(
    poller
      .add(event.fd, EPOLLIN)
      .modify(event.fd, EPOLLIN | EPOLLOUT)
      .ref()
      .unref()
      .ref(),
  ).toBe(poller);
  expect(await next()).toEqual([null, event.fd, EPOLLIN | EPOLLOUT]);
});

test('what stays ready is reported again and again, an edge once', async () => {
  const event = open(new EventFd({ initial: 1 }));
  const level = watch();
  const edge = watch();
  level.poller.add(event.fd, EPOLLIN);
  edge.poller.add(event.fd, EPOLLIN | EPOLLET); // a negative number
  await level.next();
  await level.next();
  expect(await edge.next()).toEqual([null, event.fd, EPOLLIN]);
  await turns();
  expect(edge.arrivals).toEqual([]);
  event.notify();
  await edge.next();
});

test('EPOLLONESHOT reports once, and again after modify', async () => {
  const event = open(new EventFd({ initial: 1 }));
  const { poller, arrivals, next } = watch();
  poller.add(event.fd, EPOLLIN | EPOLLONESHOT);
  await next();
  event.notify();
  await turns();
  expect(arrivals).toEqual([]);
  poller.modify(event.fd, EPOLLIN | EPOLLONESHOT);
  await next();
});

test('EPOLLEXCLUSIVE is for add only, and at least one instance is told', async () => {
  const event = open(new EventFd());
  const told = new Promise<number>((resolve) => {
    for (let i = 0; i < 2; i++) {
      open(new Epoll((_error, fd) => resolve(fd))).add(event.fd, EPOLLIN | EPOLLEXCLUSIVE);
    }
  });
  event.notify();
  expect(await told).toBe(event.fd);
  const { poller } = watch();
  poller.add(event.fd, EPOLLIN | EPOLLEXCLUSIVE);
  expect(() => poller.modify(event.fd, EPOLLIN)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('the end of a pipe is reported whether asked for or not', async () => {
  const { readable, writable } = openPipe();
  const { poller, next } = watch((_error, fd) => poller.remove(fd));
  poller.add(readable, 0);
  closeSync(writable);
  expect(await next()).toEqual([null, readable, EPOLLHUP]);
  closeSync(readable);
});

test('system errors are worded as those of Node', () => {
  const { poller } = watch();
  const event = open(new EventFd());
  poller.add(event.fd, EPOLLIN);
  const file = openSync(__filename, 'r');
  const gone = closedDescriptor();
  const cases: [() => unknown, string, number, string][] = [
    [() => poller.add(event.fd, EPOLLIN), 'EEXIST', -17, 'file already exists'],
    [() => poller.add(file, EPOLLIN), 'EPERM', -1, 'operation not permitted'],
    [() => poller.add(gone, EPOLLIN), 'EBADF', -9, 'bad file descriptor'],
    [() => poller.modify(file, EPOLLIN), 'EPERM', -1, 'operation not permitted'],
    [() => poller.modify(gone, EPOLLIN), 'EBADF', -9, 'bad file descriptor'],
    [() => poller.modify(1000 + event.fd, EPOLLIN), 'EBADF', -9, 'bad file descriptor'],
    [() => watch().poller.modify(event.fd, EPOLLIN), 'ENOENT', -2, 'no such file or directory'],
    [() => watch().poller.remove(event.fd), 'ENOENT', -2, 'no such file or directory'],
  ];
  for (const [run, code, errno, text] of cases) {
    const error = thrownBy(run);
    expect(error).toMatchObject({ code, errno, syscall: 'epoll_ctl', message: `${code}: ${text}, epoll_ctl` });
  }
  closeSync(file);
});

test('wrong arguments are told from system errors', () => {
  const { poller } = watch();
  const codeOf = (run: () => unknown) => (thrownBy(run) as NodeJS.ErrnoException).code;
  expect(codeOf(() => new Epoll('callback' as never))).toBe('ERR_INVALID_ARG_TYPE');
  expect(codeOf(() => poller.add('0' as never, EPOLLIN))).toBe('ERR_INVALID_ARG_TYPE');
  expect(codeOf(() => poller.add(0, undefined as never))).toBe('ERR_INVALID_ARG_TYPE');
  expect(codeOf(() => poller.add(-1, EPOLLIN))).toBe('ERR_OUT_OF_RANGE');
  expect(codeOf(() => poller.add(2 ** 31, EPOLLIN))).toBe('ERR_OUT_OF_RANGE');
  expect(codeOf(() => poller.add(0, 2 ** 32))).toBe('ERR_OUT_OF_RANGE');
  expect(codeOf(() => poller.add(0, 0.5))).toBe('ERR_OUT_OF_RANGE');
});

test('more descriptors than one turn takes are all reported', async () => {
  const events = Array.from({ length: 200 }, () => open(new EventFd({ initial: 1 })));
  const { poller, next } = watch((_error, fd) => poller.remove(fd));
  for (const { fd } of events) poller.add(fd, EPOLLIN);
  const seen = new Set<number>();
  for (let i = 0; i < events.length; i++) seen.add((await next())[1]);
  expect(seen.size).toBe(events.length);
});

test('a descriptor that a callback removes is not reported, though its event came in the same turn', async () => {
  const [first, second] = [open(new EventFd({ initial: 1 })), open(new EventFd({ initial: 1 }))];
  const { poller, arrivals, next } = watch((_error, fd) => {
    poller.remove(first.fd).remove(second.fd);
    expect([first.fd, second.fd]).toContain(fd);
  });
  poller.add(first.fd, EPOLLIN).add(second.fd, EPOLLIN);
  await next();
  await turns();
  expect(arrivals).toEqual([]);
});

test('an event of a closed descriptor is not taken for one of the next that has its number', async () => {
  const [first, second] = [open(new EventFd({ initial: 1 })), open(new EventFd({ initial: 1 }))];
  let reused = false;
  const { poller, arrivals, next } = watch((_error, fd) => {
    if (reused) return;
    const other = fd === first.fd ? second : first;
    const number = other.fd;
    poller.remove(fd).remove(number);
    other.close();
    reused = open(new EventFd()).fd === number;
    poller.add(number, EPOLLIN);
  });
  poller.add(first.fd, EPOLLIN).add(second.fd, EPOLLIN);
  await next();
  expect(reused).toBe(true);
  await turns();
  expect(arrivals).toEqual([]);
});

test('a descriptor that was closed without remove can be added again under its number', async () => {
  const old = new EventFd({ initial: 1 });
  const { poller, next } = watch((_error, fd) => poller.remove(fd));
  const number = old.fd;
  poller.add(number, EPOLLIN);
  old.close();
  expect(thrownBy(() => poller.remove(number))).toMatchObject({ code: 'EBADF' });
  const event = open(new EventFd({ initial: 1 }));
  expect(event.fd).toBe(number);
  poller.add(number, EPOLLIN);
  expect(await next()).toEqual([null, number, EPOLLIN]);
});

test('what a callback does not ask for any more is not reported in the same turn', async () => {
  const [first, second] = [open(new EventFd({ initial: 1 })), open(new EventFd({ initial: 1 }))];
  let asked = -1;
  const { poller, arrivals, next } = watch((_error, fd) => {
    poller.remove(fd);
    if (fd !== asked) poller.modify((asked = fd === first.fd ? second.fd : first.fd), EPOLLOUT);
  });
  poller.add(first.fd, EPOLLIN).add(second.fd, EPOLLIN);
  const [, one] = await next();
  const [, other, events] = await next();
  expect(new Set([one, other])).toEqual(new Set([first.fd, second.fd]));
  expect(events).toBe(EPOLLOUT);
  expect(arrivals).toEqual([]);
});

test('close in a callback ends the events; it may be called twice, the other members may not follow it', async () => {
  const events = [1, 2, 3].map(() => open(new EventFd({ initial: 1 })));
  const { poller, arrivals, next } = watch(() => poller.close());
  for (const { fd } of events) poller.add(fd, EPOLLIN);
  expect(poller.closed).toBe(false);
  await next();
  expect(poller.closed).toBe(true);
  await turns();
  expect(arrivals).toEqual([]);
  poller.close();
  const closed = expect.objectContaining({ code: 'ERR_EPOLL_CLOSED' });
  expect(() => poller.add(events[0]!.fd, EPOLLIN)).toThrow(closed);
  expect(() => poller.modify(events[0]!.fd, EPOLLIN)).toThrow(closed);
  expect(() => poller.remove(events[0]!.fd)).toThrow(closed);
  expect(() => poller.ref()).toThrow(closed);
  expect(() => poller.unref()).toThrow(closed);
});

test('callbacks run in the async context that made the instance', async () => {
  const storage = new AsyncLocalStorage<string>();
  const event = open(new EventFd({ initial: 1 }));
  const seen = await storage.run('made here', () => {
    return new Promise((resolve) => {
      open(new Epoll(() => resolve(storage.getStore()))).add(event.fd, EPOLLIN | EPOLLONESHOT);
    });
  });
  expect(seen).toBe('made here');
});

test('there is no thread behind it', async () => {
  const threads = () => readdirSync('/proc/self/task').length;
  const event = open(new EventFd({ initial: 1 }));
  await turns();
  const before = threads();
  const { poller, next } = watch();
  poller.add(event.fd, EPOLLIN);
  await next();
  expect(threads()).toBe(before);
});

test('each worker thread has its own', async () => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Epoll, EPOLLIN } = require(workerData.path);
    const poller = new Epoll((error, fd) => { parentPort.postMessage(fd); poller.close(); });
    poller.add(workerData.readable, EPOLLIN);
  `;
  const pipes = [1, 2].map(() => openPipe());
  const workers = pipes.map(({ readable }) => {
    return new Worker(program, { eval: true, workerData: { path: require.resolve('@millrace/epoll'), readable } });
  });
  const messages = workers.map((worker) => once(worker, 'message'));
  for (const { writable } of pipes) writeSync(writable, 'x');
  for (const [i, message] of messages.entries()) expect((await message)[0]).toBe(pipes[i]!.readable);
  await Promise.all(workers.map((worker) => worker.terminate()));
  for (const { readable, writable } of pipes) for (const fd of [readable, writable]) closeSync(fd);
});
