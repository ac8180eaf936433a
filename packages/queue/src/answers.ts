import { checkBytes } from '@millrace/native';
import { errors } from './errors.js';
import { Answer } from './native.js';

// What the native part answers, as this package's errors. Full, empty, dropped and closed are none.

export interface Limits {
  readonly maxBytes: number;
  readonly maxOption: string;
  /** What finds no room is refused, not dropped. */
  readonly rejects: boolean;
}

/** For a push that was not accepted. */
export function checkPushed(answer: number, bytes: unknown, { maxBytes, maxOption }: Limits): void {
  switch (answer as Answer) {
    case Answer.TooLarge:
      throw errors.tooLarge((bytes as Uint8Array).length, maxBytes, maxOption);
    case Answer.Taken:
      throw errors.taken('push');
    case Answer.Detached:
      throw errors.detached();
    case Answer.NotBytes:
      checkBytes('bytes', bytes);
  }
}

/** The same where closed is an error too. */
export function checkAccepted(answer: number, bytes: unknown, limits: Limits): void {
  if (answer === (Answer.Closed as number)) throw errors.closed();
  checkPushed(answer, bytes, limits);
}

/** For a pop that brought nothing. */
export function checkPopped(answer: number): void {
  if (answer === (Answer.Taken as number)) throw errors.taken('pop');
  if (answer === (Answer.Detached as number)) throw errors.detached();
}
