import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { AnswerReader, type TaskAnswer } from './answer-reader.js';
import { ByteRing } from './byte-ring.js';
import { errorOf } from './error-report.js';
import {
  AbortKind,
  ANSWER_WORDS,
  Kind,
  type LaneViews,
  ORDER_WORDS,
  OrderState,
  RING_SLOTS,
  viewsOf,
  Word,
} from './layout.js';
import { native } from './native.js';
import { plainKind } from './plain-value.js';
import type { ResultMessage, TaskMessage } from './protocol.js';
import type { Task } from './task.js';

const MASK = RING_SLOTS - 1;

/**
 * The pool's side of one worker thread: gives it tasks, takes back those it has not begun, and collects answers. For
 * the pool's thread. Owns the shared memory, the port, and for each task given a reference. Costs no message and no
 * native call for numbers, short strings and bytes.
 */
export class TaskLane {
  /** Tasks given and neither answered nor taken back. */
  outstanding = 0;
  /** Answers taken in. */
  answered = 0;
  /** The lowest priority among those given since the lane was last empty. */
  lowestPriority = Infinity;
  readonly #views: LaneViews;
  readonly #port: MessagePort;
  readonly #taskBytes: ByteRing;
  readonly #reader: AnswerReader;
  readonly #given: (Task | undefined)[] = new Array<Task | undefined>(RING_SLOTS);
  readonly #names = new Map<string, number>();
  /** Begun, and answers to them are not waited for. */
  #givenUp = 0;
  #tail = 0;
  #oldest = 0;
  #published = 0;

  constructor(memory: SharedArrayBuffer, port: MessagePort) {
    this.#views = viewsOf(memory);
    this.#port = port;
    this.#taskBytes = new ByteRing(this.#views.taskBytes, this.#views.words, Word.TaskBytesRead);
    this.#reader = new AnswerReader(this.#views, port);
  }

  /** The worker's word. Plain reads will do for figures. */
  word(index: Word): number {
    return Atomics.load(this.#views.words, index);
  }

  set workerIndex(index: number) {
    Atomics.store(this.#views.words, Word.Index, index);
  }

  /** Of those outstanding, how many the worker has not begun. */
  get waiting(): number {
    const begun = ((this.word(Word.Started) - this.answered) | 0) - this.#givenUp;
    return this.outstanding - Math.max(0, begun);
  }

  /** How many more may be given. */
  get room(): number {
    const head = this.word(Word.Head);
    while (this.#oldest !== head && this.#given[this.#oldest & MASK] === undefined)
      this.#oldest = (this.#oldest + 1) | 0;
    return RING_SLOTS - 1 - ((this.#tail - this.#oldest) | 0);
  }

  /**
   * Lays a task down; `publish` gives it, and those before it.
   *
   * @throws DOMException `DataCloneError`: it is not given
   */
  give(task: Task): void {
    const position = this.#tail;
    const slot = position & MASK;
    const at = slot * ORDER_WORDS;
    const { orders, orderNumbers } = this.#views;
    const { value, name } = task;
    // First: it may post, and what is posted must be in the order of positions.
    const number = name === undefined ? 0 : this.#numberOf(name);
    let kind = Kind.Posted;
    if (task.transfers) {
      this.#port.postMessage({ position, value } satisfies TaskMessage, task.transferList);
    } else if (typeof value === 'number') {
      orderNumbers[(at + 2) >> 1] = value;
      kind = Kind.Number;
    } else {
      kind = plainKind(value);
      if (kind === Kind.Posted) kind = this.#taskBytes.write(value);
      if (kind === Kind.Posted) {
        this.#port.postMessage({ position, value } satisfies TaskMessage);
      } else {
        orders[at + 2] = this.#taskBytes.offset;
        orders[at + 3] = this.#taskBytes.length;
      }
    }
    orders[at + 1] = kind | (number << 8);
    orders[at] = OrderState.Given;
    this.#given[slot] = task;
    task.lane = this;
    task.position = position;
    this.#tail = (position + 1) | 0;
    this.outstanding++;
    if (task.priority < this.lowestPriority) this.lowestPriority = task.priority;
  }

  #numberOf(name: string): number {
    let number = this.#names.get(name);
    if (number === undefined) {
      number = this.#names.size + 1;
      this.#names.set(name, number);
      this.#port.postMessage({ name, number } satisfies TaskMessage);
    }
    return number;
  }

  /** Shows the worker what it was given, and wakes it if it sleeps. */
  publish(): void {
    if (this.#published === this.#tail) return;
    const { words } = this.#views;
    this.#published = this.#tail;
    // Sequentially consistent, as is the worker's look at the tail after it has said that it parks.
    Atomics.store(words, Word.Tail, this.#tail);
    if (Atomics.load(words, Word.Parked) === 1 && Atomics.compareExchange(words, Word.Parked, 1, 0) === 1) this.ring();
  }

  ring(): void {
    native.ring(this.word(Word.Door));
  }

  /** Takes a task back unless the worker has begun it. */
  takeBack(task: Task): boolean {
    const { orders } = this.#views;
    const at = (task.position & MASK) * ORDER_WORDS;
    if (Atomics.compareExchange(orders, at, OrderState.Given, OrderState.TakenBack) !== Number(OrderState.Given))
      return false;
    this.#forget(task);
    return true;
  }

  #forget(task: Task): void {
    this.#given[task.position & MASK] = undefined;
    task.lane = undefined;
    if (--this.outstanding === 0) this.lowestPriority = Infinity;
  }

  /** Takes back up to so many of those not begun, the last first. The worker claims in order: one begun is the end. */
  takeBackLast(count: number): Task[] {
    const taken: Task[] = [];
    for (
      let position = (this.#tail - 1) | 0;
      taken.length < count && this.outstanding > 0;
      position = (position - 1) | 0
    ) {
      const task = this.#given[position & MASK];
      if (task !== undefined) {
        // What it transfers has gone: it runs there or nowhere.
        if (task.transfers || !this.takeBack(task)) break;
        taken.push(task);
      }
      if (position === this.#oldest) break;
    }
    return taken;
  }

  takeBackAll(): Task[] {
    const taken = this.takeBackLast(Infinity);
    // Those begun cannot be overtaken any more.
    this.lowestPriority = Infinity;
    return taken;
  }

  /** When all has been taken back that could be: what the worker has begun, and nobody waits for any more. */
  takeBegun(): Task[] {
    const begun = this.#given.filter((task) => task !== undefined);
    for (const task of begun) this.#forget(task);
    this.#givenUp += begun.length;
    return begun;
  }

  /** Tells the worker that its running task is to end: the flag at once, the signal when its event loop turns. */
  abort(task: Task, kind: AbortKind): void {
    const { words } = this.#views;
    words[Word.AbortKind] = kind;
    Atomics.store(words, Word.Aborted, task.position);
    this.ring();
  }

  /** Takes in all answers. `settle` gets an object that is used again for the next. */
  collect(settle: (task: Task, answer: TaskAnswer) => void): void {
    const done = this.word(Word.Done);
    while (this.answered !== done) {
      const at = (this.answered & MASK) * ANSWER_WORDS;
      this.answered = (this.answered + 1) | 0;
      const answer = this.#reader.read(at);
      const task = this.#given[answer.position & MASK];
      // One that has been given up is not there any more.
      if (task === undefined) {
        this.#givenUp--;
        continue;
      }
      this.#forget(task);
      settle(task, answer);
    }
  }

  /** Why the module did not load. */
  takeFailure(): unknown {
    const mail = receiveMessageOnPort(this.#port)?.message as ResultMessage | undefined;
    return mail !== undefined && 'failed' in mail ? errorOf(mail.failed) : undefined;
  }

  /** The thread is to end when it has started. */
  dismiss(): void {
    Atomics.store(this.#views.words, Word.Dismissed, 1);
  }

  close(): void {
    this.#port.close();
  }
}
