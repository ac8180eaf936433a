import {
  delimiter,
  encodeFrame,
  fix,
  fixed,
  type Frame,
  FrameDecoder,
  type Framing,
  lengthPrefixed,
  lines,
  raw,
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

function decode(framing: Framing, ...chunks: (string | Uint8Array)[]): string[] {
  using decoder = new FrameDecoder(framing);
  const found: string[] = [];
  for (const chunk of chunks) decoder.push(Buffer.from(chunk), (frame) => found.push(frame.latin1()));
  return found;
}

function parts(frame: Frame): string[] {
  return Array.from({ length: frame.partCount }, (_, i) => frame.partLatin1(i));
}

const ignore = (): void => {};

describe('FrameDecoder', () => {
  test('finds frames of every framing', () => {
    expect(decode(raw(), 'ab', 'c')).toEqual(['ab', 'c']);
    expect(decode(lines(), 'a\r\nb\nc')).toEqual(['a', 'b']);
    expect(decode(delimiter({ delimiter: '||' }), 'a|', '|b||')).toEqual(['a', 'b']);
    expect(decode(fixed({ bytes: 2 }), 'abcde')).toEqual(['ab', 'cd']);
    expect(decode(lengthPrefixed({ lengthBytes: 1 }), '\x02ab\x00')).toEqual(['ab', '']);
    expect(decode(varint(), '\x02ab')).toEqual(['ab']);
    expect(decode(resp(), '*1\r\n$1\r\na\r\n')).toEqual(['*1\r\n$1\r\na\r\n']);
    const message = encodeFrame(fix(), '35=0\x01');
    expect(decode(fix(), message)).toEqual([message.toString()]);
  });

  test('hands out the arguments of RESP requests and the fields of FIX messages', () => {
    const seen: string[][] = [];
    using requests = new FrameDecoder(resp());
    requests.push(Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\nSET k "a\\x41 b"\r\n'), (frame) =>
      seen.push(parts(frame)),
    );
    expect(seen).toEqual([
      ['GET', 'k'],
      ['SET', 'k', 'aA b'],
    ]);
    using messages = new FrameDecoder(fix());
    messages.push(encodeFrame(fix(), '35=0\x0149=A\x01'), (frame) => seen.push(parts(frame)));
    expect(seen[2]).toEqual(['8=FIX.4.4', '9=10', '35=0', '49=A', '10=187']);
  });

  test('frames of more parts than there was room for', () => {
    using decoder = new FrameDecoder(resp());
    const words = Array.from({ length: 5000 }, (_, i) => `w${i}`);
    const seen: string[][] = [];
    decoder.push(Buffer.from(`PING\r\n\r\n${words.join(' ')}\r\nPING\r\n`), (frame) => seen.push(parts(frame)));
    expect(seen).toEqual([['PING'], words, ['PING']]);
  });

  test('does not change the chunks it is given', () => {
    using decoder = new FrameDecoder(resp());
    const chunk = Buffer.from('ECHO "a\\n"\r\n');
    const before = chunk.toString();
    decoder.push(chunk, ignore);
    expect(chunk.toString()).toBe(before);
  });

  test('takes views of any kind of memory, and empty chunks', () => {
    using decoder = new FrameDecoder(lines());
    const found: string[] = [];
    const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3);
    shared.set(Buffer.from('ab\n'));
    decoder.push(shared, (frame) => found.push(frame.utf8()));
    decoder.push(new Uint8Array(0), ignore);
    expect(found).toEqual(['ab']);
  });

  test('long chunks of short frames, and frames longer than a piece', () => {
    const many = Array.from({ length: 40_000 }, (_, i) => `line ${i}`);
    expect(decode(lines(), `${many.join('\n')}\n`)).toEqual(many);
    const long = 'x'.repeat(900_000);
    expect(decode(lines(), `a\n${long}\nb\n`)).toEqual(['a', long, 'b']);
    expect(decode(lines(), 'a\n', long.slice(0, 5), long.slice(5), '\nb\n')).toEqual(['a', long, 'b']);
    expect(decode(raw(), long)).toEqual([long]);
    expect(decode(raw(), 'y'.repeat((1 << 20) + 5)).map((frame) => frame.length)).toEqual([1 << 20, 5]);
  });

  test('says how much is buffered, and forgets what was visited', () => {
    using decoder = new FrameDecoder(lines());
    decoder.push(Buffer.from('a\nbcd'), () => expect(decoder.bufferedBytes).toBe(3));
    expect(decoder.bufferedBytes).toBe(3);
    decoder.push(Buffer.from('\n'), ignore);
    expect(decoder.bufferedBytes).toBe(0);
    using requests = new FrameDecoder(resp());
    requests.push(Buffer.from('PING\r\n\r\n*0\r\n\r\n'), ignore);
    expect(requests.bufferedBytes).toBe(0);
    requests.push(Buffer.from('\r\n*0\r\n'), ignore);
    expect(requests.bufferedBytes).toBe(0);
  });

  test('memory follows what has come, not what was announced', () => {
    using decoder = new FrameDecoder(lengthPrefixed({ maxBytes: 2 ** 30 }));
    const before = process.memoryUsage().arrayBuffers;
    decoder.push(Buffer.from([0x3f, 0xff, 0xff, 0xff, 1, 2, 3]), ignore);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });

  test('a frame is valid until visit returns', () => {
    using decoder = new FrameDecoder(lines());
    let kept: Frame | undefined;
    let copy: Buffer | undefined;
    decoder.push(Buffer.from('abc\n'), (frame) => {
      kept = frame;
      copy = frame.copy();
    });
    expect(thrown(() => kept!.byteLength).code).toBe('ERR_MESSAGE_EXPIRED');
    expect(thrown(() => kept!.utf8()).code).toBe('ERR_MESSAGE_EXPIRED');
    expect(copy!.toString()).toBe('abc');
  });
});

describe('end and close', () => {
  test('a tail is an error', () => {
    using decoder = new FrameDecoder(lines());
    decoder.push(Buffer.from('a\nbc'), ignore);
    const error = thrown(() => decoder.end());
    expect([error.code, error.message]).toEqual([
      'ERR_FRAME_INCOMPLETE',
      'The stream ended within a frame: 2 bytes of it had come.',
    ]);
  });

  test('nothing may come after the end', () => {
    using decoder = new FrameDecoder(lines());
    decoder.end();
    decoder.end();
    expect(thrown(() => decoder.push(Buffer.from('a'), ignore)).code).toBe('ERR_INVALID_STATE');
  });

  test('push, and end, may not be called within visit', () => {
    using decoder = new FrameDecoder(lines());
    const codes: (string | undefined)[] = [];
    decoder.push(Buffer.from('a\nb\n'), () => {
      codes.push(thrown(() => decoder.push(Buffer.from('c\n'), ignore)).code, thrown(() => decoder.end()).code);
    });
    expect(codes).toEqual(Array(4).fill('ERR_INVALID_STATE'));
  });

  test('close is idempotent, and everything after it refused', () => {
    const decoder = new FrameDecoder(lines());
    decoder.push(Buffer.from('abc'), ignore);
    decoder.close();
    decoder.close();
    decoder[Symbol.dispose]();
    expect(decoder.bufferedBytes).toBe(0);
    expect(thrown(() => decoder.push(Buffer.from('a'), ignore)).code).toBe('ERR_FRAME_DECODER_CLOSED');
    expect(thrown(() => decoder.end()).code).toBe('ERR_FRAME_DECODER_CLOSED');
  });

  test('close within visit stops the visits; that frame stays valid until it returns', () => {
    const decoder = new FrameDecoder(lines());
    const found: string[] = [];
    decoder.push(Buffer.from('a\nb\n'), (frame) => {
      decoder.close();
      found.push(frame.utf8());
    });
    expect(found).toEqual(['a']);
    expect(decoder.bufferedBytes).toBe(0);
  });

  test('arguments are checked', () => {
    using decoder = new FrameDecoder(lines());
    expect(thrown(() => decoder.push('a' as never, ignore)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(thrown(() => decoder.push(Buffer.from('a'), 1 as never)).code).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('memory that was transferred away is an error, not a crash', () => {
    const decoder = new FrameDecoder(lines());
    decoder.push(Buffer.from('a\nb'), (frame) => {
      const { buffer } = frame.view();
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    });
    expect(thrown(() => decoder.push(Buffer.from('c'), ignore)).code).toBe('ERR_INVALID_STATE');
    expect(thrown(() => decoder.push(Buffer.from('c'), ignore)).code).toBe('ERR_FRAME_DECODER_CLOSED');
  });
});
