import {
  encodeFrame,
  fix,
  type Frame,
  FrameDecoder,
  type Framing,
  lengthPrefixed,
  lines,
  resp,
  varint,
} from '@millrace/framing';

const thrown = (body: () => unknown): NodeJS.ErrnoException => {
  try {
    body();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('did not throw');
};

const ignore = (): void => {};

describe('a visit that throws', () => {
  const boom = new Error('boom');

  test('comes out of push; the frames behind are visited by the next push', () => {
    using decoder = new FrameDecoder(resp());
    const found: string[] = [];
    const visit = (frame: Frame): void => {
      found.push(frame.partUtf8(0));
      if (found.length % 2 === 0) throw boom;
    };
    expect(thrown(() => decoder.push(Buffer.from('a\nb\nc\nd\ne\nf'), visit))).toBe(boom);
    expect(found).toEqual(['a', 'b']);
    expect(decoder.bufferedBytes).toBe(7);
    expect(thrown(() => decoder.end()).code).toBe('ERR_INVALID_STATE');
    expect(thrown(() => decoder.push(Buffer.from('g\n'), visit))).toBe(boom);
    expect(found).toEqual(['a', 'b', 'c', 'd']);
    expect(thrown(() => decoder.push(Buffer.alloc(0), visit))).toBe(boom);
    decoder.push(Buffer.alloc(0), visit);
    expect(found).toEqual(['a', 'b', 'c', 'd', 'e', 'fg']);
    decoder.end();
  });

  test('loses nothing of a chunk longer than the buffer', () => {
    using decoder = new FrameDecoder(lines());
    const all = Array.from({ length: 50_000 }, (_, i) => `line ${i}`);
    const found: string[] = [];
    const visit = (frame: Frame): void => {
      found.push(frame.utf8());
      if (found.length % 7_001 === 0) throw boom;
    };
    let chunk = Buffer.from(`${all.join('\n')}\n`);
    for (let push = 0; push < 7; push++) {
      expect(thrown(() => decoder.push(chunk, visit))).toBe(boom);
      chunk = Buffer.alloc(0);
    }
    decoder.push(chunk, visit);
    expect(found).toEqual(all);
  });

  test('does not hide a broken stream', () => {
    using decoder = new FrameDecoder(resp());
    const found: string[] = [];
    const visit = (frame: Frame): void => {
      found.push(frame.partUtf8(0));
      if (found.length === 1) throw boom;
    };
    expect(thrown(() => decoder.push(Buffer.from('a\nb\n*x\r\nc\n'), visit))).toBe(boom);
    expect(thrown(() => decoder.push(Buffer.from('d\n'), visit)).code).toBe('ERR_FRAME_INVALID');
    expect(found).toEqual(['a', 'b']);
  });
});

describe('a broken stream', () => {
  const cases: [Framing, string, string, string][] = [
    [lines({ maxBytes: 2 }), 'abc\n', 'ERR_FRAME_TOO_LARGE', 'Frame of 3 bytes or more is larger than maxBytes (2)'],
    [
      lengthPrefixed({ lengthBytes: 8, maxBytes: 10 }),
      '\xff'.repeat(8),
      'ERR_FRAME_TOO_LARGE',
      'Frame of 18446744073709551615 bytes or more is larger than maxBytes (10)',
    ],
    [
      lengthPrefixed({ lengthBytes: 1, lengthAdjustment: -1 }),
      '\0',
      'ERR_FRAME_INVALID',
      'Length field of 0 does not fit lengthAdjustment and stripBytes',
    ],
    [varint({ maxBytes: 10 }), '\x0b', 'ERR_FRAME_TOO_LARGE', 'Frame of 11 bytes or more is larger than maxBytes (10)'],
    [resp(), '*x\r\n', 'ERR_FRAME_INVALID', 'Protocol error: invalid multibulk length'],
    [resp(), '*1048577\r\n', 'ERR_FRAME_INVALID', 'Protocol error: invalid multibulk length'],
    [resp(), '*1\r\n$-1\r\n', 'ERR_FRAME_INVALID', 'Protocol error: invalid bulk length'],
    [resp(), '*1\r\nGET\r\n', 'ERR_FRAME_INVALID', "Protocol error: expected '$', got 'G'"],
    [resp(), '*1\r\n\r\n', 'ERR_FRAME_INVALID', "Protocol error: expected '$', got ' '"],
    [resp(), 'SET "a\r\n', 'ERR_FRAME_INVALID', 'Protocol error: unbalanced quotes in request'],
    [resp(), 'a'.repeat(70_000), 'ERR_FRAME_INVALID', 'Protocol error: too big inline request'],
    [resp(), `*${'1'.repeat(70_000)}`, 'ERR_FRAME_INVALID', 'Protocol error: too big mbulk count string'],
    [
      resp({ maxBytes: 20 }),
      '*1\r\n$20\r\n',
      'ERR_FRAME_TOO_LARGE',
      'Protocol error: request of 31 bytes or more is larger than maxBytes (20)',
    ],
    [fix(), '9=1', 'ERR_FRAME_INVALID', 'FIX message does not begin with BeginString (8=) and BodyLength (9=)'],
    [
      fix(),
      encodeFrame(fix(), '35=0\x01').toString().replace('=163', '=164'),
      'ERR_FRAME_INVALID',
      'FIX CheckSum (10=) is wrong: the bytes add up to 163',
    ],
  ];

  test.each(cases)('%o: %j', (framing, input, code, message) => {
    using decoder = new FrameDecoder(framing);
    const error = thrown(() => decoder.push(Buffer.from(input, 'latin1'), ignore));
    expect([error.code, error.message]).toEqual([code, message]);
  });

  test('stays broken, with the same error, and holds no memory', () => {
    using decoder = new FrameDecoder(resp());
    const found: string[] = [];
    const push = (text: string): NodeJS.ErrnoException =>
      thrown(() => decoder.push(Buffer.from(text), (frame) => found.push(frame.partUtf8(0))));
    expect(push('PING\n*x\r\nPING\n').code).toBe('ERR_FRAME_INVALID');
    expect(found).toEqual(['PING']);
    const again = push('PING\n');
    expect([again.code, again.message]).toEqual(['ERR_FRAME_INVALID', 'Protocol error: invalid multibulk length']);
    expect(found).toEqual(['PING']);
    expect(decoder.bufferedBytes).toBe(0);
    expect(thrown(() => decoder.end()).code).toBe('ERR_FRAME_INVALID');
  });
});
