// The memory that the pool and one worker thread share: what both sides know of it. All of it is written by TypeScript.
//
//   byte 0      words       64 × i32, below
//        256    orders      RING_SLOTS × 16 B, one for each task given, by position
//      8,448    answers     RING_SLOTS × 32 B, one for each task done, in the order they were done
//     24,832    task bytes  BYTES_SIZE, strings and bytes of tasks
//     90,368    answer bytes
//
//   an order:   0 state i32 | 4 kind, and name << 8  i32 | 8 value f64, or offset i32 and length i32
//   an answer:  0 position i32 | 4 kind i32 | 8 value f64, or offset i32 and length i32
//              16 started f64, ms by the pool's clock | 24 run f64, ms
//
// Positions count up and wrap at 2^32. The pool writes an order, then the tail; the worker claims it by a
// compare-and-swap of its state, and the pool takes it back by another: whoever comes first has the task, so that each
// runs exactly once whatever happens to its worker.

/** Indices into the words. The comment says who writes. */
export const enum Word {
  /** Pool: orders given. */
  Tail = 0,
  /** Worker: orders passed, claimed or taken back. */
  Head = 1,
  /** Worker: answers written. */
  Done = 2,
  /** Worker: tasks claimed. With `Done`, whether one is running; stays when the thread ends. */
  Started = 3,
  /** Worker: 1 while it waits to be rung. */
  Parked = 4,
  /** Worker: turns of its event loop. */
  Turns = 5,
  /** Pool: the position of the running task that is to end, and above that word why. */
  Aborted = 6,
  AbortKind = 7,
  /** Worker: its door; 0 before it is ready. */
  Door = 8,
  /** Worker: KiB of its heap and its ArrayBuffers. */
  HeapKib = 9,
  /** Worker: how far it has read the task bytes. */
  TaskBytesRead = 10,
  /** Pool: how far it has read the answer bytes. */
  AnswerBytesRead = 11,
  /** Pool: which worker this is; a spare learns it late. */
  Index = 12,
  /** Pool: 1 when a thread that has not started yet is not wanted any more. */
  Dismissed = 13,
}

export const enum OrderState {
  Given = 1,
  Claimed = 2,
  TakenBack = 3,
}

export const enum AbortKind {
  None = 0,
  Abort = 1,
  Timeout = 2,
}

export const enum Kind {
  Undefined = 0,
  Null = 1,
  False = 2,
  True = 3,
  Number = 4,
  Latin1 = 5,
  Utf8 = 6,
  Bytes = 7,
  /** In the port's next message. */
  Posted = 8,
  /** Of answers: the task failed, with what the port's next message says. */
  Failed = 9,
}

/** One thread is never given so many that a slot is used twice at a time. */
export const RING_SLOTS = 512;
export const ORDER_WORDS = 4;
export const ANSWER_WORDS = 8;
const BYTES_SIZE = 65_536;
/** Longer strings and bytes are posted: copying them costs more than a message. */
export const MAX_INLINE_BYTES = 16_384;

const ORDERS_AT = 256;
const ANSWERS_AT = ORDERS_AT + RING_SLOTS * ORDER_WORDS * 4;
const TASK_BYTES_AT = ANSWERS_AT + RING_SLOTS * ANSWER_WORDS * 4;
const ANSWER_BYTES_AT = TASK_BYTES_AT + BYTES_SIZE;

export interface LaneViews {
  words: Int32Array;
  orders: Int32Array;
  orderNumbers: Float64Array;
  answers: Int32Array;
  answerNumbers: Float64Array;
  taskBytes: Buffer;
  answerBytes: Buffer;
}

export function newLaneMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(ANSWER_BYTES_AT + BYTES_SIZE);
}

export function viewsOf(memory: SharedArrayBuffer): LaneViews {
  const orderWords = RING_SLOTS * ORDER_WORDS;
  const answerWords = RING_SLOTS * ANSWER_WORDS;
  return {
    words: new Int32Array(memory, 0, 64),
    orders: new Int32Array(memory, ORDERS_AT, orderWords),
    orderNumbers: new Float64Array(memory, ORDERS_AT, orderWords / 2),
    answers: new Int32Array(memory, ANSWERS_AT, answerWords),
    answerNumbers: new Float64Array(memory, ANSWERS_AT, answerWords / 2),
    taskBytes: Buffer.from(memory as unknown as ArrayBuffer, TASK_BYTES_AT, BYTES_SIZE),
    answerBytes: Buffer.from(memory as unknown as ArrayBuffer, ANSWER_BYTES_AT, BYTES_SIZE),
  };
}
