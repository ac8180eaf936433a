/** Absolute path of the folder to give a compiler as `-I`: it holds `millrace/…`. */
export const includeDir: string;

/** Absolute path of the CMake project: `add_subdirectory` of it gives the target `millrace::core`. */
export const cmakeDir: string;

/**
 * Loads the addon of a package: a shipped binary in `prebuilds/` or the one its install script built.
 *
 * @param packageRoot - absolute path of the folder that holds the package's package.json
 * @returns the addon's exports, taken to be of type `T`
 * @throws Error `ERR_ADDON_NOT_BUILT`, whose message is the command that cures it
 * @throws Error `ERR_UNSUPPORTED_PLATFORM` anywhere but on Linux
 */
export function loadAddon<T>(packageRoot: string): T;

export interface CodedErrorOptions {
  /** The class to make, `Error` by default. */
  ErrorType?: new (message: string, options?: ErrorOptions) => Error;
  cause?: unknown;
  /** Anything else becomes a property of the error. */
  [property: string]: unknown;
}

/** An error with a `code`, by which users tell it from others. */
export function codedError<Code extends string>(
  code: Code,
  message: string,
  options?: CodedErrorOptions,
): Error & { code: Code };

export interface IntegerRange {
  min?: number;
  max?: number;
}

/**
 * An optional integer: `undefined` gives the default, which is not checked.
 *
 * @param name - as the user wrote it, dotted: `options.capacity`
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no number
 * @throws RangeError `ERR_OUT_OF_RANGE` if it is no integer or outside of [min, max]
 */
export function integerOption(name: string, value: unknown, range: IntegerRange & { default: number }): number;
export function integerOption(
  name: string,
  value: unknown,
  range: IntegerRange & { default: number | undefined },
): number | undefined;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` (NaN and fractions too) */
export function checkInteger(name: string, value: unknown, min?: number, max?: number): number;

/** @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE` (NaN too) */
export function checkNumber(name: string, value: unknown, min?: number, max?: number): number;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkBoolean(name: string, value: unknown): boolean;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkString(name: string, value: unknown): string;

/** @throws TypeError `ERR_INVALID_ARG_VALUE` if the value is not one of the list */
export function checkOneOf<const T>(name: string, value: unknown, list: readonly T[]): T;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` */
export function checkFunction<T>(name: string, value: T): T & ((...args: never[]) => unknown);

/** @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no Uint8Array (a Buffer is one) */
export function checkBytes(name: string, value: unknown): Uint8Array<ArrayBufferLike>;

/** @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but an object: null and arrays too */
export function checkObject<T>(name: string, value: T): T & object;

/** The error of an argument of the right type with a wrong value: TypeError `ERR_INVALID_ARG_VALUE`. */
export function invalidValue(name: string, constraint: string, value: unknown): Error & { code: string };

/** How one thread names what it shares to the other threads of its process: small, and structured-cloneable. */
export interface SharedTokenFields<Kind extends string = string> {
  readonly kind: Kind;
  /** Of the object, in the registry of its kind. */
  readonly id: number;
  /** Of the object, so that another one with its id is not taken for it. */
  readonly nonce: number;
  /** Of the loaded copy of the package, which has a registry of its own. */
  readonly copy: number;
  readonly pid: number;
}

/**
 * What `share()` answers.
 *
 * @param kind - of the object, as it is called in messages: `'slab'`, `'mpmc-queue'`
 * @param identity - `id` and `nonce` of the object, `copy` of the loaded addon (SharedObject in the core has all three)
 * @param extra - what an attaching thread must know besides
 */
export function makeToken<Kind extends string, Extra extends object = object>(
  kind: Kind,
  identity: { id: number; nonce: number; copy: number },
  extra?: Extra,
): SharedTokenFields<Kind> & Extra;

/**
 * What a token says, after a check that `share()` of this copy of the package in this process made it.
 *
 * @param reader - `copy` of the loaded addon, `package` by name for the message
 * @throws TypeError `ERR_INVALID_ARG_TYPE` if it is no object, `ERR_INVALID_ARG_VALUE` if it is not such a token
 * @throws Error `ERR_SHARED_GONE` if another process made it, `ERR_LAYOUT_MISMATCH` if another copy of the package did
 */
export function readToken<Kind extends string>(
  kind: Kind,
  token: unknown,
  reader: { copy: number; package: string },
): SharedTokenFields<Kind>;

/** The error of a token whose object no thread holds any more: `ERR_SHARED_GONE`. */
export function sharedGone(kind: string): Error & { code: 'ERR_SHARED_GONE' };
