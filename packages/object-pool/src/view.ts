import { inspect } from 'node:util';
import { PARTS, type Accessors } from './accessors.js';

export type ViewClass = new (index: number) => { readonly index: number };

/** The class of a pool's views: an index, and the accessors that were generated for the pool's fields. */
export function makeViewClass({ properties }: Accessors): ViewClass {
  const descriptors = Object.getOwnPropertyDescriptors(properties);
  const names = Object.keys(descriptors);

  class RecordView {
    declare readonly index: number;

    constructor(index: number) {
      Object.defineProperty(this, 'index', { value: index, enumerable: true });
      Object.defineProperty(this, PARTS, { value: undefined, writable: true });
    }

    [inspect.custom](): object {
      const fields = names.map((name) => [name, (this as unknown as Record<string, unknown>)[name]]);
      return { index: this.index, ...(Object.fromEntries(fields) as object) };
    }
  }
  Object.defineProperties(RecordView.prototype, descriptors);
  return RecordView;
}
