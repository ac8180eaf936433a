// What the tests run on workers.
import { execFileSync } from 'node:child_process';
import { threadId } from 'node:worker_threads';

export default function echo(value) {
  return value;
}

export const add = (value) => value + 1;
export const kind = (value) => `${Object.prototype.toString.call(value)} ${Buffer.isBuffer(value)}`;
export const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms, ms));
export const thread = () => threadId;
export const index = (_value, context) => context.workerIndex;
export const data = (_value, context) => context.workerData;
export const bytesOf = (count) => new Uint8Array(count).fill(7);
export const textOf = ({ text, count }) => text.repeat(count);
export const unclonable = () => () => undefined;
export const throwUnclonable = () => {
  throw () => undefined;
};
/** Results and errors that misbehave when they are looked at. */
export const odd = (what) => {
  const bad = () => {
    throw new Error(what);
  };
  switch (what) {
    case 'then':
      return Object.defineProperty({}, 'then', { get: bad });
    case 'proxy':
      return new Proxy({}, { get: bad });
    case 'bytes':
      return new Proxy(new Uint8Array(4), { getPrototypeOf: bad });
    case 'callable':
      return Object.assign(() => 1, { then: (resolve) => resolve('called') });
    case 'chain':
      return { then: (resolve) => resolve({ then: (next) => next('end') }) };
    case 'twice':
      return { then: (resolve, reject) => (resolve('first'), reject(new Error('second')), bad()) };
    default:
      throw Object.defineProperty(new Error('hidden'), 'stack', { get: bad });
  }
};
export const deep = (levels) => {
  let nested = [];
  for (let i = 0; i < levels; i++) nested = [nested];
  return nested;
};
export const size = (buffer) => buffer.byteLength;
export const busy = (rounds) => {
  let mixed = 1;
  for (let i = 0; i < rounds; i++) mixed = Math.imul(mixed ^ i, 0x9e3779b1);
  return mixed;
};
export const hugeHeap = () => {
  globalThis.kept = Array.from({ length: 100_000 }, (_, i) => ({ i }));
};

class QuoteError extends RangeError {}
export const fail = (how) => {
  if (how === 'class') throw Object.assign(new QuoteError('no quote'), { code: 'E_QUOTE', symbol: 'BTC' });
  if (how === 'cause') throw new Error('outer', { cause: new TypeError('inner') });
  if (how === 'aggregate') throw new AggregateError([new Error('one'), new RangeError('two')], 'both');
  if (how === 'system') return execFileSync('/nonexistent');
  throw how;
};

/** Notes that it began: `workerData.begun[id]` counts, `workerData.order` lists. */
export function note(id, context) {
  const { begun, order } = context.workerData;
  Atomics.add(begun, id, 1);
  order[Atomics.add(order, 0, 1) + 1] = id;
  return id;
}

export async function noteLater(id, context) {
  note(id, context);
  await new Promise((resolve) => setImmediate(resolve));
  return id;
}

/** Begins, and then never ends by itself. */
export function fate({ id, how, file }, context) {
  note(id, context);
  return end(how, file);
}

function end(how, file = '/dev/null') {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  switch (how) {
    case 'spin':
      for (;;);
    case 'wait':
      return Atomics.wait(cell, 0, 0);
    case 'native':
      return execFileSync('sh', ['-c', 'sleep 1.5; echo over > "$0"', file]);
    case 'exit':
      return process.exit(3);
    case 'uncaught':
      setImmediate(() => {
        throw Object.assign(new Error('from a timer'), { code: 'E_TIMER' });
      });
      return new Promise(() => undefined);
    case 'memory': {
      const kept = [];
      for (;;) kept.push(new Array(1000).fill({}));
    }
  }
}

/** Waits until `workerData.gate` opens; says that it has begun. */
export function gate(_value, context) {
  const { gate } = context.workerData;
  Atomics.add(gate, 1, 1);
  Atomics.wait(gate, 0, 0);
  return 'through';
}

/** Loops until it is aborted, and says how it knew. */
export function untilAborted(_value, context) {
  const { gate } = context.workerData;
  Atomics.store(gate, 1, 1);
  while (!context.aborted);
  Atomics.store(gate, 2, 1);
  return 'aborted';
}

export async function untilSignal(_value, context) {
  const { gate } = context.workerData;
  const { signal } = context;
  Atomics.store(gate, 1, 1);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  const { reason } = signal;
  Atomics.store(gate, 2, reason.name === 'TimeoutError' ? 2 : 1);
}

/** Goes on whatever its caller says, without blocking. */
export async function stubborn(_value, context) {
  const { gate } = context.workerData;
  Atomics.store(gate, 1, 1);
  for (;;) await new Promise((resolve) => setTimeout(resolve, 5));
}
