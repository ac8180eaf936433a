/** What `share()` answers: structured-cloneable, and of use in this process only. */
export interface SharedToken<Kind extends string = string, Shape = unknown> {
  readonly kind: Kind;
  readonly id: number;
  readonly shape?: Shape;
}

/** A number of that many bits, a `bool` of one byte, or 1 to 65,535 bytes: text padded with zeroes, or plain bytes. */
export type FieldType =
  | 'u8'
  | 'i8'
  | 'u16'
  | 'i16'
  | 'u32'
  | 'i32'
  | 'u64'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'bool'
  | `ascii${number}`
  | `bytes${number}`;

export type FieldValue<T extends FieldType> = T extends 'u64' | 'i64'
  ? bigint
  : T extends 'bool'
    ? boolean
    : T extends `ascii${number}`
      ? string
      : T extends `bytes${number}`
        ? Uint8Array
        : number;

export type Fields = { readonly [name: string]: FieldType };

/** The layout of a record: that of a C struct with the same members in the same order. */
export interface RecordType<F extends Fields = Fields> {
  readonly fields: F;
  /** What `sizeof` says, padding included. */
  readonly byteLength: number;
  /** What `offsetof` says. */
  readonly offsets: { readonly [N in keyof F]: number };
  /**
   * The record as a struct, for the source of an addon. It includes `<stdint.h>`; `bool` is an `uint8_t` of 0 or 1, and
   * a name that C or C++ keeps for itself gets an underscore at its end.
   *
   * @param name - of the struct, and of a type with that name
   */
  toCStruct(name: string): string;
}

/**
 * One record as an object: properties read and write the pool's memory. There is one for each record, made when it is
 * first asked for and used again for whoever has the record next, so do not keep it after `release`. Numbers are
 * converted as typed arrays do it; text must be ASCII without NUL, and fit.
 */
export type RecordView<R> =
  R extends RecordType<infer F> ? { -readonly [N in keyof F]: FieldValue<F[N]> } & { readonly index: number } : never;

/** One field of all records, by index: no object for each, and no native call. */
export interface Column<V> {
  /** The pool's capacity. */
  readonly length: number;
  /** @throws RangeError `ERR_OUT_OF_RANGE` for an index outside of the pool, as do the other two */
  get(index: number): V;
  set(index: number, value: V): void;
  /**
   * As `get`, as a number: of a 64-bit field without making a bigint, exact up to 2^53. A bool is 0 or 1.
   *
   * @throws ERR_OBJECT_POOL_NOT_NUMERIC for text and bytes
   */
  getNumber(index: number): number;
}

export interface RecordPoolOptions {
  /** Records, 1 to 2^30, and at most 4 GiB − 64 KiB of them together. Memory is taken as they are first used. */
  capacity: number;
  /** Notes where records are acquired, and warns on `close()` of those that are still out. **Default:** false */
  debug?: boolean;
}

/**
 * Records that all threads of the process may share. Any thread may call its own handle; an index may go to another
 * thread as a number, and be released there.
 *
 * What a handle acquired and neither released nor handed on is free again when it is closed or its thread ends.
 */
export interface RecordPool<F extends Fields> extends Disposable {
  readonly capacity: number;
  /** Records out now, on all threads; approximate while others acquire and release. */
  readonly size: number;
  /** A free record, with the bytes that its last user left in it (zeroes at first); undefined if there is none. */
  acquire(): RecordView<RecordType<F>> | undefined;
  /** @throws ERR_OBJECT_POOL_INVALID_RECORD if it is not out, or of another pool */
  release(view: RecordView<RecordType<F>>): void;
  /**
   * The view of a record by its index. One that another handle acquired counts as handed on from here on.
   *
   * @param index - 0 to `capacity` − 1
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  at(index: number): RecordView<RecordType<F>>;
  /** As `acquire`, without a view: the index, or −1. One native call. */
  acquireIndex(): number;
  /** @throws ERR_OBJECT_POOL_INVALID_RECORD if it is not out */
  releaseIndex(index: number): void;
  /** Say it before the index goes to another thread: from here on the end of this one leaves the record alone. */
  handOn(index: number): void;
  /** The view of a record that was handed on: from here on it is this handle's, as if it had acquired it. */
  adopt(index: number): RecordView<RecordType<F>>;
  column<N extends keyof F>(name: N): Column<FieldValue<F[N]>>;
  /** What `ObjectPool.attach` takes, on any thread of the process. */
  share(): SharedToken<'record-pool', F>;
  /** Lets go of this thread's handle; views and columns of it throw from then on. Idempotent. */
  close(): void;
}

export interface PlainPoolOptions<T extends object> {
  /** Makes an object: when none is free, and at most `capacity` times. */
  create: () => T;
  /** Called by `release`, to let go of what the object holds. **Default:** nothing is done */
  reset?: (object: T) => void;
  /** Objects, 1 to 2^30. */
  capacity: number;
  /** Notes where objects are acquired, and warns on `close()` of those that are still out. **Default:** false */
  debug?: boolean;
}

/** Objects of one thread that are made once and used again and again. */
export interface PlainPool<T extends object> extends Disposable {
  readonly capacity: number;
  /** Objects out now. */
  readonly size: number;
  /** The object that was released last, or a new one; undefined when `capacity` are out. */
  acquire(): T | undefined;
  /** @throws ERR_OBJECT_POOL_INVALID_RECORD if it is not out, or of another pool */
  release(object: T): void;
  /** Forgets the objects. Idempotent. */
  close(): void;
}
