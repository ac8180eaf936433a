import { inspect } from 'node:util';
import { checkBoolean, checkObject, checkString } from '@millrace/native';
import { makeError } from './errors.js';
import { keyNumber } from './topic.js';
import type { Payload, PublishOptions } from './types.js';

export interface CheckedPublish {
  readonly key: bigint;
  readonly includeSelf: boolean;
  readonly framed: boolean;
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE`; Error `ERR_MESSAGE_EXPIRED`, also where nobody would get it */
export function checkPayload(payload: Payload): void {
  if (typeof payload === 'string' || payload instanceof Uint8Array) return;
  if (typeof payload?.view === 'function') {
    void payload.byteLength;
    return;
  }
  throw typeError(`The "payload" argument must be a Message, a Uint8Array or a string. Received ${inspect(payload)}`);
}

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkPublish(topic: string, payload: Payload, options: PublishOptions): CheckedPublish {
  checkString('topic', topic);
  checkPayload(payload);
  const { key = topic, includeSelf = false, framed = true } = checkObject('options', options);
  if (typeof key !== 'string' && typeof key !== 'bigint' && !Number.isFinite(key)) {
    throw typeError(`The "options.key" property must be a string, a number or a bigint. Received ${inspect(key)}`);
  }
  return {
    key: keyNumber(key),
    includeSelf: checkBoolean('options.includeSelf', includeSelf),
    framed: checkBoolean('options.framed', framed),
  };
}

function typeError(message: string): Error {
  return makeError('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
}
