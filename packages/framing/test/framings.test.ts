import * as framing from '@millrace/framing';
import { framingSpec, framingToNative } from '@millrace/framing/internal';

const { raw, lines, delimiter, fixed, lengthPrefixed, varint, resp, fix } = framing;

const thrown = (body: () => unknown): NodeJS.ErrnoException => {
  try {
    body();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('did not throw');
};

describe('the package', () => {
  test('exports what its types say', () => {
    expect(Object.keys(framing).sort()).toEqual(
      [
        ...['FrameDecoder', 'delimiter', 'encodeFrame', 'fix', 'fixed'],
        ...['lengthPrefixed', 'lines', 'raw', 'resp', 'varint'],
      ].sort(),
    );
  });
});

describe('framings', () => {
  test('are plain, frozen, named objects with their options filled in', () => {
    const all = [
      raw(),
      lines(),
      delimiter({ delimiter: '|' }),
      fixed({ bytes: 8 }),
      lengthPrefixed(),
      varint(),
      resp(),
      fix(),
    ];
    for (const one of all) {
      expect(Object.isFrozen(one)).toBe(true);
      expect(Object.getPrototypeOf(one)).toBe(Object.prototype);
    }
    expect(all.map((one) => one.name)).toEqual([
      ...['raw', 'lines', 'delimiter', 'fixed'],
      ...['lengthPrefixed', 'varint', 'resp', 'fix'],
    ]);
    expect(lines()).toEqual({ name: 'lines', maxBytes: 1 << 20 });
    expect(lengthPrefixed({ lengthBytes: 2, lengthOffset: 3 })).toMatchObject({ stripBytes: 5, endian: 'big' });
    expect(resp()).toMatchObject({ maxArguments: 1024 * 1024 });
  });

  test('pass through structured clone', () => {
    for (const one of [delimiter({ delimiter: 'ab' }), lengthPrefixed({ lengthAdjustment: -4 })]) {
      const clone = structuredClone(one);
      expect(framingToNative(clone)).toEqual(framingToNative(one));
    }
  });

  test('a delimiter is copied', () => {
    const bytes = Buffer.from('ab');
    const one = delimiter({ delimiter: bytes });
    bytes[0] = 0;
    expect(framingToNative(one)[11]).toBe(0x6261);
  });

  test.each([
    [() => lines({ maxBytes: 0 }), 'ERR_OUT_OF_RANGE'],
    [() => lines({ maxBytes: NaN }), 'ERR_OUT_OF_RANGE'],
    [() => lines({ maxBytes: 1.5 }), 'ERR_OUT_OF_RANGE'],
    [() => lines({ maxBytes: 2 ** 30 + 1 }), 'ERR_OUT_OF_RANGE'],
    [() => lines({ maxBytes: '1' as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => lines(null as never), 'ERR_INVALID_ARG_TYPE'],
    [() => delimiter({ delimiter: '' }), 'ERR_OUT_OF_RANGE'],
    [() => delimiter({ delimiter: 'x'.repeat(17) }), 'ERR_OUT_OF_RANGE'],
    [() => delimiter({ delimiter: 10 as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => delimiter({ delimiter: '|', strip: 1 as never }), 'ERR_INVALID_ARG_TYPE'],
    [() => fixed({ bytes: 0 }), 'ERR_OUT_OF_RANGE'],
    [() => fixed({} as never), 'ERR_INVALID_ARG_TYPE'],
    [() => lengthPrefixed({ lengthBytes: 3 as never }), 'ERR_INVALID_ARG_VALUE'],
    [() => lengthPrefixed({ endian: 'middle' as never }), 'ERR_INVALID_ARG_VALUE'],
    [() => lengthPrefixed({ lengthOffset: -1 }), 'ERR_OUT_OF_RANGE'],
    [() => lengthPrefixed({ lengthAdjustment: 2 ** 31 }), 'ERR_OUT_OF_RANGE'],
    [() => resp({ maxArguments: 0 }), 'ERR_OUT_OF_RANGE'],
    [() => fix({ beginString: 'a\x01' }), 'ERR_INVALID_ARG_VALUE'],
  ])('%s is refused with %s', (make, code) => {
    expect(thrown(make).code).toBe(code);
  });

  test('messages name the option and what was received', () => {
    expect(thrown(() => lines({ maxBytes: -1 })).message).toBe(
      'The value of "options.maxBytes" is out of range. It must be >= 1 && <= 1073741824. Received -1',
    );
  });

  test('what is no framing is refused', () => {
    expect(thrown(() => framingSpec({ name: 'http' })).code).toBe('ERR_INVALID_ARG_VALUE');
    expect(thrown(() => framingSpec(undefined as never)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(thrown(() => framingSpec({ name: 'lines', maxBytes: -1 } as never)).code).toBe('ERR_OUT_OF_RANGE');
    expect(thrown(() => new framing.FrameDecoder({ name: 'toString' })).code).toBe('ERR_INVALID_ARG_VALUE');
  });
});
