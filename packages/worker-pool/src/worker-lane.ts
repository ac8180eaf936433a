import { receiveMessageOnPort } from 'node:worker_threads';
import { getHeapStatistics } from 'node:v8';
import { AnswerValues } from './answer-values.js';
import { ByteRing } from './byte-ring.js';
import { ANSWER_WORDS, Kind, type LaneViews, ORDER_WORDS, OrderState, RING_SLOTS, viewsOf, Word } from './layout.js';
import { native } from './native.js';
import type { TaskMessage, WorkerStart } from './protocol.js';
import { plainValue } from './plain-value.js';
import { RunningTask } from './task-context.js';
import type { TaskModule } from './task-module.js';
import { isThenable } from './thenable.js';

const MASK = RING_SLOTS - 1;
/** How long tasks follow each other before the event loop turns. */
const TURN_MS = 10;
/** How long an answer may lie there while others follow, before the pool is rung. */
const RING_AFTER_MS = 0.5;
const MEASURE_EVERY_MS = 50;
/** Who asks for one task after another has the next one ready so soon: then waiting beats being woken. */
const SPIN_MS = 0.03;
/** Looks at the tail between two looks at the clock. */
const SPIN_LOOKS = 32;

/**
 * The worker's side of a lane: claims tasks one at a time, runs them, and writes their answers. For the worker's thread.
 * Owns its views of the lane's memory. The pool is rung when nothing is left to do, when half of what was there is done,
 * or after half a millisecond: an answer that nobody waits for alone does not cost a wake-up.
 */
export class WorkerLane {
  readonly #start: WorkerStart;
  readonly #module: TaskModule;
  readonly #views: LaneViews;
  readonly #bell: Int32Array;
  readonly #taskBytes: ByteRing;
  readonly #answers: AnswerValues;
  readonly #clockOffset: number;
  #head = 0;
  #tail = 0;
  #done = 0;
  #started = 0;
  #unrung = 0;
  #rungAt = 0;
  #turnAt = 0;
  #measuredAt = 0;
  #parkedAt = 0;
  /** The last task came soon after the one before. */
  #quick = false;
  /** An async task that has not settled. */
  #pending: RunningTask | undefined;

  constructor(start: WorkerStart, module: TaskModule) {
    this.#start = start;
    this.#module = module;
    this.#views = viewsOf(start.memory);
    this.#bell = new Int32Array(start.bell);
    this.#taskBytes = new ByteRing(this.#views.taskBytes, this.#views.words, Word.TaskBytesRead);
    this.#answers = new AnswerValues(this.#views, start.port);
    this.#clockOffset = performance.timeOrigin - start.timeOrigin;
  }

  /** Opens the door: tasks may come. */
  open(): void {
    const { id, handle } = native.open(() => this.#onRing());
    native.hold(handle, true);
    Atomics.store(this.#views.words, Word.Door, id);
    this.#ring();
    this.#onRing();
  }

  #ring(): void {
    this.#unrung = 0;
    if (Atomics.exchange(this.#bell, 0, 1) === 0) native.ring(this.#start.door);
  }

  #onRing(): void {
    this.#views.words[Word.Turns]!++;
    this.#pending?.deliver();
    this.#turnAt = performance.now();
    if (this.#parkedAt > 0) {
      // Being woken takes about as long as it would have spun.
      this.#quick = this.#turnAt - this.#parkedAt < 2 * SPIN_MS;
      this.#parkedAt = 0;
    }
    this.#pump(this.#turnAt);
  }

  /** Runs what has been given until nothing is left, a task is asynchronous, or it is the event loop's turn. */
  #pump(now: number): void {
    if (this.#pending !== undefined) return;
    const { words, orders } = this.#views;
    for (;;) {
      if (now - this.#turnAt > TURN_MS) {
        this.#yield(now);
        return;
      }
      if (this.#head === this.#tail) {
        this.#tail = Atomics.load(words, Word.Tail);
        if (this.#head === this.#tail && this.#park(now)) return;
      }
      const position = this.#head;
      const at = (position & MASK) * ORDER_WORDS;
      const what = orders[at + 1]!;
      const kind: Kind = what & 0xff;
      const value = orders[at + 2]!;
      const length = orders[at + 3]!;
      const number = this.#views.orderNumbers[(at + 2) >> 1]!;
      const mine =
        Atomics.compareExchange(orders, at, OrderState.Given, OrderState.Claimed) === Number(OrderState.Given);
      this.#head = (position + 1) | 0;
      if (mine) words[Word.Started] = this.#started = (this.#started + 1) | 0;
      // From here on the pool may use the order's place again.
      words[Word.Head] = this.#head;
      if (!mine) {
        if (kind > Kind.Number) this.#discard(position, kind, value, length);
        continue;
      }
      now = this.#run(position, kind, what >>> 8, value, length, number, now);
      if (this.#pending !== undefined) return;
    }
  }

  #yield(now: number): void {
    if (this.#unrung > 0) this.#ring();
    if (now - this.#measuredAt > MEASURE_EVERY_MS) this.#measure(now);
    setImmediate(() => this.#onRing());
  }

  /** False: there is something to do after all. */
  #park(now: number): boolean {
    const { words } = this.#views;
    if (now - this.#measuredAt > MEASURE_EVERY_MS) this.#measure(now);
    if (this.#unrung > 0) this.#ring();
    if (this.#quick && this.#spin(now)) return false;
    // Sequentially consistent, as is the pool's look at this word after it has moved the tail.
    Atomics.store(words, Word.Parked, 1);
    this.#tail = Atomics.load(words, Word.Tail);
    if (this.#head === this.#tail) {
      this.#parkedAt = performance.now();
      return true;
    }
    Atomics.store(words, Word.Parked, 0);
    return false;
  }

  #spin(now: number): boolean {
    const { words } = this.#views;
    do {
      for (let i = 0; i < SPIN_LOOKS; i++) {
        this.#tail = Atomics.load(words, Word.Tail);
        if (this.#head !== this.#tail) return true;
      }
    } while (performance.now() - now < SPIN_MS);
    this.#quick = false;
    return false;
  }

  /** Answers when the task ended, or when it was begun if it goes on. */
  #run(
    position: number,
    kind: Kind,
    name: number,
    offset: number,
    length: number,
    number: number,
    now: number,
  ): number {
    const context = new RunningTask(this.#views.words, position, this.#start.workerData);
    let result: unknown;
    let promise: Promise<unknown> | undefined;
    try {
      const value = this.#valueOf(position, kind, offset, length, number);
      result = this.#functionOf(name)(value, context);
      // A thenable may settle twice, throw, or answer another one: a promise made of it does not.
      if (isThenable(result)) promise = Promise.resolve(result);
    } catch (error) {
      return this.#answer(position, now, error, true);
    }
    if (promise === undefined) return this.#answer(position, now, result, false);
    this.#await(promise, position, context, now);
    return now;
  }

  #await(result: Promise<unknown>, position: number, context: RunningTask, began: number): void {
    this.#pending = context;
    if (this.#unrung > 0) this.#ring();
    const settle = (failed: boolean) => (value: unknown) => {
      this.#pending = undefined;
      this.#pump(this.#answer(position, began, value, failed));
    };
    result.then(settle(false), settle(true));
  }

  /** Of a task that was taken back: what it was given with would stay for as long as no other message is needed. */
  #discard(position: number, kind: Kind, offset: number, length: number): void {
    if (kind !== Kind.Posted) {
      this.#taskBytes.skip(offset, length);
      return;
    }
    try {
      this.#valueOf(position, kind, offset, length, 0);
    } catch {
      // It cannot be read here; nobody wants it.
    }
  }

  #valueOf(position: number, kind: Kind, offset: number, length: number, number: number): unknown {
    if (kind === Kind.Number) return number;
    if (kind <= Kind.True) return plainValue(kind);
    if (kind !== Kind.Posted) return this.#taskBytes.read(kind, offset, length);
    for (;;) {
      const message = this.#receive();
      if ('position' in message && message.position === position) return message.value;
    }
  }

  /** The next message is there: it was posted before the order was given. */
  #receive(): TaskMessage {
    const message = receiveMessageOnPort(this.#start.port)!.message as TaskMessage;
    if ('name' in message) this.#module.number(message.number, message.name);
    return message;
  }

  #functionOf(number: number): (value: unknown, context: RunningTask) => unknown {
    // Messages of tasks that were taken back may lie before the one with the name.
    while (!this.#module.knows(number)) this.#receive();
    return this.#module.functionOf(number);
  }

  #answer(position: number, began: number, value: unknown, failed: boolean): number {
    const { words, answers, answerNumbers } = this.#views;
    const at = (this.#done & MASK) * ANSWER_WORDS;
    const now = performance.now();
    answers[at] = position;
    answers[at + 1] = this.#answers.write(position, at, value, failed);
    answerNumbers[(at + 4) >> 1] = began + this.#clockOffset;
    answerNumbers[(at + 6) >> 1] = now - began;
    this.#done = (this.#done + 1) | 0;
    Atomics.store(words, Word.Done, this.#done);
    if (this.#unrung++ === 0) this.#rungAt = now;
    const left = (this.#tail - this.#head) | 0;
    if (left > 0 && (left <= this.#unrung || now - this.#rungAt > RING_AFTER_MS)) this.#ring();
    return now;
  }

  #measure(now: number): void {
    this.#measuredAt = now;
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
    this.#views.words[Word.HeapKib] = (heap + external) / 1024;
  }
}
