import { codedError, invalidValue } from '@millrace/native';
import { closedError, type ErrorCode } from './errors.js';

/**
 * All records of a pool as typed arrays, one of each kind over the same bytes. For one thread. Owns nothing: the pool's
 * handle lets the memory go. Makes no copies but of text.
 */
export class RecordMemory {
  readonly u8: Uint8Array;
  readonly i8: Int8Array;
  readonly u16: Uint16Array;
  readonly i16: Int16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  /** Records. */
  readonly capacity: number;
  /** Lives as long as anything does that reads this memory. */
  readonly owner: object;
  readonly #text: Buffer & { latin1Slice(start: number, end: number): string };
  #closed = false;

  constructor(bytes: ArrayBuffer, capacity: number, owner: object) {
    // A record with a field of n bytes is a multiple of n bytes: what is cut off belongs to no such field.
    const elements = (size: number): number => Math.floor(bytes.byteLength / size);
    this.u8 = new Uint8Array(bytes);
    this.i8 = new Int8Array(bytes);
    this.u16 = new Uint16Array(bytes, 0, elements(2));
    this.i16 = new Int16Array(bytes, 0, elements(2));
    this.u32 = new Uint32Array(bytes, 0, elements(4));
    this.i32 = new Int32Array(bytes, 0, elements(4));
    this.u64 = new BigUint64Array(bytes, 0, elements(8));
    this.i64 = new BigInt64Array(bytes, 0, elements(8));
    this.f32 = new Float32Array(bytes, 0, elements(4));
    this.f64 = new Float64Array(bytes, 0, elements(8));
    this.capacity = capacity;
    this.owner = owner;
    this.#text = Buffer.from(bytes) as never;
  }

  close(): void {
    this.#closed = true;
  }

  /** What stands where an index is wrong, or the pool closed. */
  readonly fail = (index: unknown): never => {
    if (this.#closed) throw closedError();
    if (typeof index !== 'number') {
      const message = `The "index" argument must be of type number. Received type ${typeof index}`;
      throw codedError<ErrorCode>('ERR_INVALID_ARG_TYPE', message, { ErrorType: TypeError });
    }
    const range = `an integer >= 0 && < ${this.capacity}`;
    const message = `The value of "index" is out of range. It must be ${range}. Received ${index}`;
    throw codedError<ErrorCode>('ERR_OUT_OF_RANGE', message, { ErrorType: RangeError });
  };

  /** What stands where a column has no numbers. */
  readonly notNumeric = (name: string): never => {
    const message = `The field ${name} holds no number. Use get() instead of getNumber()`;
    throw codedError<ErrorCode>('ERR_OBJECT_POOL_NOT_NUMERIC', message, { ErrorType: TypeError });
  };

  readonly readText = (at: number, length: number): string => {
    const bytes = this.u8;
    let end = at;
    while (end < at + length && bytes[end] !== 0) end++;
    return this.#text.latin1Slice(at, end);
  };

  readonly writeText = (name: string, at: number, length: number, text: string): void => {
    if (typeof text !== 'string') throw invalidValue(name, 'must be a string', text);
    if (text.length > length) throw invalidValue(name, `must have at most ${length} characters`, text);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 0x7f) throw invalidValue(name, 'must be ASCII without NUL', text);
    }
    const bytes = this.u8;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    bytes.fill(0, at + text.length, at + length);
  };

  readonly writeBytes = (name: string, at: number, length: number, value: Uint8Array): void => {
    if (!(value instanceof Uint8Array)) throw invalidValue(name, 'must be a Uint8Array', value);
    if (value.length > length) throw invalidValue(name, `must have at most ${length} bytes`, value);
    this.u8.set(value, at);
    this.u8.fill(0, at + value.length, at + length);
  };
}
