import { checkOneOf, makeToken, type SharedTokenFields } from '@millrace/native';
import { inspect } from 'node:util';
import { markAsUntransferable } from 'node:worker_threads';
import { makeAccessors, type Accessors } from './accessors.js';
import { closedError, invalidRecordError } from './errors.js';
import { Leaks } from './leaks.js';
import { native } from './native.js';
import { RecordMemory } from './record-memory.js';
import type { RecordLayout } from './record.js';
import { DONE, HANDLE, INDEX, registers } from './registers.js';
import { makeViewClass, type ViewClass } from './view.js';
import type { Column, Fields, FieldValue, RecordPool, RecordType, RecordView, SharedToken } from './types.js';

export const KIND = 'record-pool';

type View<F extends Fields> = RecordView<RecordType<F>>;

/** Closes what nobody has closed or shared when nobody can reach it any more, nor a view or column of it. */
const forgotten = new FinalizationRegistry<number>((handle) => native.close(handle));

/**
 * One thread's handle on a pool of records. Views and columns are code generated for this handle over the pool's memory
 * (accessors.ts). Owns a handle of the addon, and a view for each record that was asked for.
 */
export class RecordPoolHandle<F extends Fields> implements RecordPool<F> {
  readonly capacity: number;
  readonly #layout: RecordLayout<F>;
  readonly #handle: number;
  readonly #records: ArrayBuffer;
  readonly #memory: RecordMemory;
  /** The state of each record, to be looked at. */
  readonly #states: Uint32Array;
  /** The state of a record that this handle has. */
  readonly #mine: number;
  readonly #accessors: Accessors;
  readonly #View: ViewClass;
  readonly #views: View<F>[] = [];
  readonly #leaks: Leaks<number> | undefined;
  #closed = false;

  constructor(layout: RecordLayout<F>, handle: number, debug: boolean) {
    this.#layout = layout;
    this.#handle = handle;
    this.capacity = native.capacity(handle);
    this.#records = native.records(handle);
    const states = native.states(handle);
    // A buffer that was transferred would take the memory out from under the views.
    markAsUntransferable(this.#records);
    markAsUntransferable(states);
    this.#states = new Uint32Array(states);
    this.#mine = native.mine(handle);
    this.#memory = new RecordMemory(this.#records, this.capacity, this);
    this.#accessors = makeAccessors(layout, this.#memory);
    this.#View = makeViewClass(this.#accessors);
    this.#leaks = debug ? new Leaks('records') : undefined;
    forgotten.register(this, handle, this);
  }

  get size(): number {
    this.#checkOpen();
    return native.size(this.#handle);
  }

  acquire(): View<F> | undefined {
    const index = this.acquireIndex();
    return index < 0 ? undefined : this.#view(index);
  }

  release(view: View<F>): void {
    if (!(view instanceof this.#View)) {
      this.#checkOpen();
      throw invalidRecordError(`The object ${inspect(view, { depth: 0 })}`);
    }
    this.releaseIndex(view.index);
  }

  at(index: number): View<F> {
    this.#checkIndex(index, this.#states.length);
    const state = this.#states[index]!;
    if (state !== this.#mine && state > native.heldBy && state < native.heldEnd) this.#call(index, native.handOn);
    return this.#view(index);
  }

  acquireIndex(): number {
    this.#checkOpen();
    registers[HANDLE] = this.#handle;
    native.acquire();
    const index = registers[INDEX]!;
    if (this.#leaks !== undefined && index >= 0) this.#leaks.acquired(index);
    return index;
  }

  releaseIndex(index: number): void {
    this.#checkOpen();
    this.#checkIndex(index, this.capacity);
    if (!this.#call(index, native.release)) throw invalidRecordError(`Record ${index}`);
    this.#leaks?.released(index);
  }

  handOn(index: number): void {
    this.#checkOpen();
    this.#checkIndex(index, this.capacity);
    if (!this.#call(index, native.handOn)) throw invalidRecordError(`Record ${index}`);
    this.#leaks?.released(index);
  }

  adopt(index: number): View<F> {
    this.#checkOpen();
    this.#checkIndex(index, this.capacity);
    if (!this.#call(index, native.adopt)) throw invalidRecordError(`Record ${index}`);
    this.#leaks?.acquired(index);
    return this.#view(index);
  }

  column<N extends keyof F>(name: N): Column<FieldValue<F[N]>> {
    this.#checkOpen();
    const { columns } = this.#accessors;
    return columns[checkOneOf<PropertyKey>('name', name, Object.keys(columns)) as string] as Column<FieldValue<F[N]>>;
  }

  share(): SharedToken<typeof KIND, F> & SharedTokenFields<typeof KIND> {
    this.#checkOpen();
    forgotten.unregister(this);
    const { fields } = this.#layout;
    return makeToken(KIND, { ...native.share(this.#handle), copy: native.copy }, { shape: fields });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaks?.report((index) => this.#states[index] === this.#mine);
    this.#memory.close();
    this.#accessors.end();
    native.close(this.#handle, this.#records, this.#states.buffer as ArrayBuffer);
    forgotten.unregister(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #view(index: number): View<F> {
    return (this.#views[index] ??= new this.#View(index) as View<F>);
  }

  /** REQUIRES: the index is within the pool. */
  #call(index: number, operation: () => void): boolean {
    registers[HANDLE] = this.#handle;
    registers[INDEX] = index;
    operation();
    return registers[DONE] === 1;
  }

  #checkIndex(index: number, length: number): void {
    if (typeof index !== 'number' || index >>> 0 !== index || index >= length) this.#memory.fail(index);
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }
}
