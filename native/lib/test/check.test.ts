import {
  checkBoolean,
  checkBytes,
  checkFunction,
  checkInteger,
  checkNumber,
  checkObject,
  checkOneOf,
  checkString,
  integerOption,
} from '@millrace/native';

/** Asserts that `check` throws an error of that class, code and message. */
function expectError(check: () => unknown, ErrorType: unknown, code: string, message: string): void {
  expect(check).toThrow(expect.objectContaining({ constructor: ErrorType, code, message }));
}

describe('argument checks', () => {
  it('answer the value when it is right', () => {
    const bytes = new Uint8Array(2);
    expect(checkInteger('n', 3, 1, 3)).toBe(3);
    expect(checkNumber('n', 0.5)).toBe(0.5);
    expect(checkBoolean('b', false)).toBe(false);
    expect(checkString('s', '')).toBe('');
    expect(checkOneOf('o', 'block', ['block', 'conflate'])).toBe('block');
    expect(checkFunction('f', Math.max)).toBe(Math.max);
    expect(checkBytes('data', bytes)).toBe(bytes);
    expect(checkBytes('data', Buffer.from('x'))).toEqual(Buffer.from('x'));
    expect(checkObject('options', bytes)).toBe(bytes);
  });

  it('give the default for an absent option only', () => {
    const range = { min: 1, max: 8, default: 4 };
    expect(integerOption('options.workers', undefined, range)).toBe(4);
    expect(integerOption('options.workers', 8, range)).toBe(8);
    expect(() => integerOption('options.workers', null, range)).toThrow(TypeError);
  });

  it.each([
    ['abc', `type string ('abc')`],
    [`a string that is far too long to be printed`, `type string ('a string that is far too...)`],
    [undefined, 'undefined'],
    [null, 'null'],
    [5n, 'type bigint (5n)'],
    [[1], 'an instance of Array'],
    [Math.max, 'function max'],
    [Object.create(null), '[Object: null prototype] {}'],
  ])('say that a number was expected and %p received, as Node words it', (value, received) => {
    const message = `The "options.capacity" property must be of type number. Received ${received}`;
    expectError(() => checkInteger('options.capacity', value), TypeError, 'ERR_INVALID_ARG_TYPE', message);
  });

  it('call a name without a dot an argument', () => {
    const message = 'The "handler" argument must be of type function. Received type boolean (true)';
    expectError(() => checkFunction('handler', true), TypeError, 'ERR_INVALID_ARG_TYPE', message);
  });

  it.each([
    [1.5, 'It must be an integer. Received 1.5'],
    [NaN, 'It must be an integer. Received NaN'],
    [Infinity, 'It must be an integer. Received Infinity'],
    [-1, 'It must be >= 0 && <= 10. Received -1'],
    [11, 'It must be >= 0 && <= 10. Received 11'],
  ])('refuse %p as an integer from 0 to 10', (value, ending) => {
    const message = `The value of "n" is out of range. ${ending}`;
    expectError(() => checkInteger('n', value, 0, 10), RangeError, 'ERR_OUT_OF_RANGE', message);
  });

  it('refuse NaN as a number, and say only the bound that there is', () => {
    const nan = 'The value of "n" is out of range. It must be a number. Received NaN';
    expectError(() => checkNumber('n', NaN), RangeError, 'ERR_OUT_OF_RANGE', nan);
    const negative = 'The value of "n" is out of range. It must be >= 0. Received -0.5';
    expectError(() => checkNumber('n', -0.5, 0), RangeError, 'ERR_OUT_OF_RANGE', negative);
  });

  it('list what is allowed', () => {
    const message = `The property 'options.overflow' must be one of: 'block', 'conflate'. Received 'drop'`;
    const check = (): string => checkOneOf('options.overflow', 'drop', ['block', 'conflate']);
    expectError(check, TypeError, 'ERR_INVALID_ARG_VALUE', message);
  });

  it('refuse what is no Uint8Array where bytes are needed, and arrays where an object is', () => {
    const bytes =
      'The "data" argument must be an instance of Buffer or Uint8Array. Received an instance of Float64Array';
    expectError(() => checkBytes('data', new Float64Array(1)), TypeError, 'ERR_INVALID_ARG_TYPE', bytes);
    const object = 'The "options" argument must be of type object. Received an instance of Array';
    expectError(() => checkObject('options', []), TypeError, 'ERR_INVALID_ARG_TYPE', object);
  });
});
