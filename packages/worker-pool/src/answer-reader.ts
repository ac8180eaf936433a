import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ByteRing } from './byte-ring.js';
import { errorOf } from './error-report.js';
import { Kind, type LaneViews, Word } from './layout.js';
import { plainValue } from './plain-value.js';
import type { ResultMessage } from './protocol.js';

/** What came of a task. */
export interface TaskAnswer {
  position: number;
  failed: boolean;
  value: unknown;
  /** Milliseconds by the pool's clock. */
  startedAt: number;
  runMs: number;
}

/** Reads what a worker's AnswerValues has written. For the pool's thread; one answer at a time. */
export class AnswerReader {
  readonly #views: LaneViews;
  readonly #port: MessagePort;
  readonly #bytes: ByteRing;
  readonly #answer: TaskAnswer = { position: 0, failed: false, value: undefined, startedAt: 0, runMs: 0 };

  constructor(views: LaneViews, port: MessagePort) {
    this.#views = views;
    this.#port = port;
    this.#bytes = new ByteRing(views.answerBytes, views.words, Word.AnswerBytesRead);
  }

  /** Answers in their order. The object is used again for the next. `at`: the index of the answer's first word. */
  read(at: number): TaskAnswer {
    const { answers, answerNumbers } = this.#views;
    const answer = this.#answer;
    const kind: Kind = answers[at + 1]!;
    answer.position = answers[at]!;
    answer.startedAt = answerNumbers[(at + 4) >> 1]!;
    answer.runMs = answerNumbers[(at + 6) >> 1]!;
    answer.failed = kind === Kind.Failed;
    if (kind === Kind.Number) answer.value = answerNumbers[(at + 2) >> 1];
    else if (kind <= Kind.True) answer.value = plainValue(kind);
    else if (kind >= Kind.Posted) this.#receive(answer);
    else answer.value = this.#bytes.read(kind, answers[at + 2]!, answers[at + 3]!);
    return answer;
  }

  #receive(answer: TaskAnswer): void {
    try {
      const message = receiveMessageOnPort(this.#port)!.message as ResultMessage;
      if ('error' in message) answer.value = errorOf(message.error);
      else answer.value = 'value' in message ? message.value : undefined;
    } catch (error) {
      // What a worker's larger stack can write this one's cannot always read.
      answer.failed = true;
      answer.value = error;
    }
  }
}
