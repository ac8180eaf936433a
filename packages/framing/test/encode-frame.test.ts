import { delimiter, encodeFrame, fix, fixed, lengthPrefixed, lines, raw, resp, varint } from '@millrace/framing';
import { createFrameEncoder } from '@millrace/framing/internal';

const thrown = (body: () => unknown): NodeJS.ErrnoException => {
  try {
    body();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('did not throw');
};

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('encodeFrame', () => {
  test('adds what each framing needs', () => {
    expect(encodeFrame(raw(), 'abc').toString()).toBe('abc');
    expect(encodeFrame(lines(), 'abc').toString()).toBe('abc\n');
    expect(encodeFrame(lines(), '').toString()).toBe('\n');
    expect(encodeFrame(delimiter({ delimiter: '--' }), 'a').toString()).toBe('a--');
    expect(encodeFrame(fixed({ bytes: 3 }), 'abc').toString()).toBe('abc');
    expect(encodeFrame(lengthPrefixed(), 'abc')).toEqual(hex('00000003 616263'));
    expect(encodeFrame(varint(), 'abc')).toEqual(hex('03 616263'));
    expect(encodeFrame(varint(), Buffer.alloc(300)).subarray(0, 3)).toEqual(hex('ac02 00'));
    expect(encodeFrame(resp(), 'abc').toString()).toBe('$3\r\nabc\r\n');
    expect(encodeFrame(resp(), '').toString()).toBe('$0\r\n\r\n');
    expect(encodeFrame(resp(), 'x'.repeat(1000)).toString().slice(0, 8)).toBe('$1000\r\nx');
  });

  test('strings are UTF-8', () => {
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 1 }), 'ü')).toEqual(hex('02 c3bc'));
  });

  test('a delimiter that is kept is not doubled', () => {
    const framing = delimiter({ delimiter: 'ab', strip: false });
    expect(encodeFrame(framing, 'x').toString()).toBe('xab');
    expect(encodeFrame(framing, 'xab').toString()).toBe('xab');
    expect(encodeFrame(framing, 'b').toString()).toBe('bab');
    expect(encodeFrame(framing, '').toString()).toBe('ab');
  });

  test('length prefixes honour all options', () => {
    const payload = 'abc';
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 2, endian: 'little' }), payload)).toEqual(hex('0300 616263'));
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 8 }), payload)).toEqual(hex('0000000000000003 616263'));
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 8, endian: 'little' }), payload)).toEqual(
      hex('0300000000000000 616263'),
    );
    expect(encodeFrame(lengthPrefixed({ lengthAdjustment: -4 }), payload)).toEqual(hex('00000007 616263'));
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 1, lengthAdjustment: 1 }), payload)).toEqual(hex('02 616263'));
    expect(encodeFrame(lengthPrefixed({ lengthOffset: 2, lengthBytes: 1 }), payload)).toEqual(hex('0000 03 616263'));
    expect(encodeFrame(lengthPrefixed({ lengthBytes: 1, stripBytes: 0 }), payload)).toEqual(hex('03 616263'));
  });

  test('makes whole FIX messages, with length and sum', () => {
    const fields = '35=A|49=SERVER|56=CLIENT|34=177|52=20090107-18:15:16|98=0|108=30|';
    const message = encodeFrame(fix({ beginString: 'FIX.4.2' }), fields.replaceAll('|', '\x01'));
    expect(message.toString().replaceAll('\x01', '|')).toBe(`8=FIX.4.2|9=65|${fields}10=062|`);
  });

  test.each([
    [lines({ maxBytes: 3 }), 'abcd'],
    [delimiter({ delimiter: 'x', maxBytes: 3 }), 'abcd'],
    [lengthPrefixed({ maxBytes: 3 }), 'abcd'],
    [varint({ maxBytes: 3 }), 'abcd'],
    [resp({ maxBytes: 3 }), 'abcd'],
    [fix({ maxBytes: 30 }), '58=too long\x01'],
    [fixed({ bytes: 3 }), 'abcd'],
    [lengthPrefixed({ lengthBytes: 1 }), 'x'.repeat(256)],
    [lengthPrefixed({ lengthBytes: 1, lengthAdjustment: -1 }), 'x'.repeat(255)],
  ])('%o refuses a payload that is too large', (framing, payload) => {
    expect(thrown(() => encodeFrame(framing, payload)).code).toBe('ERR_MESSAGE_TOO_LARGE');
  });

  test('refuses a payload that does not fit otherwise', () => {
    expect(thrown(() => encodeFrame(fixed({ bytes: 3 }), 'ab')).code).toBe('ERR_FRAME_INVALID');
    expect(thrown(() => encodeFrame(lengthPrefixed({ lengthAdjustment: 4 }), 'abc')).code).toBe('ERR_FRAME_INVALID');
    expect(thrown(() => encodeFrame(fix(), '35=0')).code).toBe('ERR_FRAME_INVALID');
    expect(thrown(() => encodeFrame(fix(), '')).code).toBe('ERR_FRAME_INVALID');
    expect(thrown(() => encodeFrame(lines(), 5 as never)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(thrown(() => encodeFrame({ name: 'x' }, '')).code).toBe('ERR_INVALID_ARG_VALUE');
    expect(thrown(() => encodeFrame(null as never, '')).code).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('says what is too large', () => {
    expect(thrown(() => encodeFrame(lines({ maxBytes: 3 }), 'abcd')).message).toBe(
      "Message of 4 bytes is larger than the framing's maxBytes (3). Send it in pieces, or raise the limit.",
    );
  });
});

describe('FrameEncoder', () => {
  test('writes into memory that others share, at any offset', () => {
    const target = new Uint8Array(new SharedArrayBuffer(64)).fill(0x2e);
    const encoder = createFrameEncoder(resp());
    const header = encoder.headerBytes(2);
    encoder.writeHeader(target, 10, 2);
    target.set(Buffer.from('ok'), 10 + header);
    const end = 12 + header;
    const trailer = encoder.writeTrailer(target, end, 2);
    expect(Buffer.from(target.slice(9, end + trailer + 1)).toString()).toBe('.$2\r\nok\r\n.');
    expect(header).toBeLessThanOrEqual(encoder.maxHeaderBytes);
    expect(trailer).toBeLessThanOrEqual(encoder.maxTrailerBytes);
  });

  test.each([raw(), lines(), lengthPrefixed({ lengthOffset: 3 }), varint(), resp(), fix()])(
    '%o never needs more than it says',
    (framing) => {
      const encoder = createFrameEncoder(framing);
      for (const bytes of [1, 9, 10, 127, 128, 99_999, 1_000_000]) {
        expect(encoder.headerBytes(bytes)).toBeLessThanOrEqual(encoder.maxHeaderBytes);
      }
    },
  );
});
