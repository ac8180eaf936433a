/** How messages are told apart in a byte stream. Made by `lines()`, `resp()` and the others; plain and frozen. */
export interface Framing {
  readonly name: string;
}

/** The largest `maxBytes` there is: 1 GiB. */
export const MAX_FRAME_BYTES = 2 ** 30;

/** @internal What stands inside of a Framing, options filled in. */
export type FramingSpec =
  | { readonly name: 'raw' }
  | { readonly name: 'lines'; readonly maxBytes: number }
  | {
      readonly name: 'delimiter';
      readonly delimiter: Uint8Array;
      readonly maxBytes: number;
      readonly strip: boolean;
    }
  | { readonly name: 'fixed'; readonly bytes: number }
  | {
      readonly name: 'lengthPrefixed';
      readonly lengthBytes: 1 | 2 | 4 | 8;
      readonly endian: 'big' | 'little';
      readonly lengthOffset: number;
      readonly lengthAdjustment: number;
      readonly stripBytes: number;
      readonly maxBytes: number;
    }
  | { readonly name: 'varint'; readonly maxBytes: number }
  | { readonly name: 'resp'; readonly maxBytes: number; readonly maxArguments: number }
  | { readonly name: 'fix'; readonly maxBytes: number; readonly beginString: string };

/** @internal The spec of one framing. */
export type SpecOf<Name extends FramingSpec['name']> = Extract<FramingSpec, { name: Name }>;
