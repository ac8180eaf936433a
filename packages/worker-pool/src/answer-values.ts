import type { MessagePort } from 'node:worker_threads';
import { ByteRing } from './byte-ring.js';
import { reportOf } from './error-report.js';
import { Kind, type LaneViews, Word } from './layout.js';
import { plainKind } from './plain-value.js';
import type { ResultMessage } from './protocol.js';

/** Where results and failures go: into the answer, into the ring of bytes, or by the port. For the worker's thread. */
export class AnswerValues {
  readonly #views: LaneViews;
  readonly #port: MessagePort;
  readonly #bytes: ByteRing;

  constructor(views: LaneViews, port: MessagePort) {
    this.#views = views;
    this.#port = port;
    this.#bytes = new ByteRing(views.answerBytes, views.words, Word.AnswerBytesRead);
  }

  /** Answers the kind. `at`: the index of the answer's first word. */
  write(position: number, at: number, value: unknown, failed: boolean): Kind {
    if (failed) return this.#postFailure(position, value);
    const { answers, answerNumbers } = this.#views;
    if (typeof value === 'number') {
      answerNumbers[(at + 2) >> 1] = value;
      return Kind.Number;
    }
    const plain = plainKind(value);
    if (plain !== Kind.Posted) return plain;
    try {
      const kind = this.#bytes.write(value);
      if (kind === Kind.Posted) this.#port.postMessage({ position, value } satisfies ResultMessage);
      answers[at + 2] = this.#bytes.offset;
      answers[at + 3] = this.#bytes.length;
      return kind;
    } catch (error) {
      // It cannot be cloned, or is a proxy that throws when it is looked at.
      return this.#postFailure(position, error);
    }
  }

  #postFailure(position: number, error: unknown): Kind {
    try {
      this.#port.postMessage({ position, error: reportOf(error) } satisfies ResultMessage);
    } catch (cause) {
      // Something was thrown that cannot be cloned.
      this.#port.postMessage({ position, error: reportOf(cause) } satisfies ResultMessage);
    }
    return Kind.Failed;
  }
}
