// What a decoder finds must not depend on where the chunks of a stream are cut.
import fc from 'fast-check';
import {
  delimiter,
  encodeFrame,
  fix,
  fixed,
  FrameDecoder,
  type Framing,
  lengthPrefixed,
  lines,
  resp,
  varint,
} from '@millrace/framing';

interface Outcome {
  frames: string[];
  error: string | undefined;
  buffered: number;
}

function decode(framing: Framing, chunks: Iterable<Uint8Array>): Outcome {
  using decoder = new FrameDecoder(framing);
  const frames: string[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk, (frame) => {
        let text = frame.latin1();
        for (let i = 0; i < frame.partCount; i++) text += `\0${frame.partLatin1(i)}`;
        frames.push(text);
      });
    }
  } catch (error) {
    return { frames, error: (error as Error).message, buffered: decoder.bufferedBytes };
  }
  return { frames, error: undefined, buffered: decoder.bufferedBytes };
}

function* cut(input: Uint8Array, sizes: number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < input.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield input.subarray(at, at + size);
    at += size;
  }
}

const framings: [string, Framing, Framing][] = [
  ['lines', lines({ maxBytes: 200 }), lines({ maxBytes: 9 })],
  [
    'delimiter',
    delimiter({ delimiter: 'aab', maxBytes: 200 }),
    delimiter({ delimiter: '\r\n', maxBytes: 9, strip: false }),
  ],
  ['fixed', fixed({ bytes: 7 }), fixed({ bytes: 3 })],
  [
    'lengthPrefixed',
    lengthPrefixed({ lengthBytes: 2, maxBytes: 200 }),
    lengthPrefixed({ lengthBytes: 1, lengthAdjustment: -1, maxBytes: 30 }),
  ],
  ['varint', varint({ maxBytes: 200 }), varint({ maxBytes: 20 })],
  ['resp', resp({ maxBytes: 2000 }), resp({ maxBytes: 40, maxArguments: 3 })],
  ['fix', fix({ maxBytes: 2000 }), fix({ maxBytes: 60 })],
];

// A byte that means something to some framing, more often than not.
const byte = fc.oneof(
  fc.constantFrom(...Buffer.from('\r\n*$01239"\'\\x =8ab\x01\x02')),
  fc.integer({ min: 0, max: 255 }),
);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
const payload = fc.uint8Array({ maxLength: 60 });

// A stream of whole messages, and the frames that must come of it, parts behind NULs.
function streamOf(name: string, framing: Framing, payloads: Uint8Array[]): [Buffer, string[]] {
  const texts = payloads.map((bytes) => Buffer.from(bytes).toString('latin1'));
  const messages = texts.map((text) => {
    switch (name) {
      case 'lines':
        return text.replaceAll(/[\r\n]/g, '.');
      case 'delimiter':
        return text.replaceAll(/[ab]/g, '.');
      case 'fixed':
        return text.padEnd(7, '.').slice(0, 7);
      case 'fix':
        return `58=${text.replaceAll('\x01', '.')}\x01`;
      default:
        return text;
    }
  });
  if (name === 'resp') {
    const request = (text: string): string => `*2\r\n$4\r\nECHO\r\n$${text.length}\r\n${text}\r\n`;
    const frames = messages.map((text) => `${request(text)}\0ECHO\0${text}`);
    return [Buffer.from(messages.map(request).join(''), 'latin1'), frames];
  }
  const encoded = messages.map((text) => encodeFrame(framing, Buffer.from(text, 'latin1')));
  const frames =
    name === 'fix'
      ? encoded.map((message) =>
          [message.toString('latin1'), ...message.toString('latin1').slice(0, -1).split('\x01')].join('\0'),
        )
      : messages;
  return [Buffer.concat(encoded), frames];
}

describe.each(framings)('%s', (name, framing, tight) => {
  test('finds what was encoded, cut at every byte', () => {
    const [stream, frames] = streamOf(name, framing, [
      Buffer.from('hello'),
      Buffer.alloc(0),
      Buffer.from('a\r\nb aab\x01c'),
    ]);
    for (let at = 0; at <= stream.length; at++) {
      const outcome = decode(framing, [stream.subarray(0, at), stream.subarray(at)]);
      expect(outcome).toEqual({ frames, error: undefined, buffered: 0 });
    }
    expect(decode(framing, cut(stream, [1]))).toEqual({ frames, error: undefined, buffered: 0 });
  });

  test('finds what was encoded, whatever it is and however it is cut', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 20 }), sizes, (payloads, cuts) => {
        const [stream, frames] = streamOf(name, framing, payloads);
        expect(decode(framing, cut(stream, cuts))).toEqual({ frames, error: undefined, buffered: 0 });
      }),
    );
  });

  test('makes the same of any bytes, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 200 }), sizes, (bytes, cuts) => {
        const stream = Uint8Array.from(bytes);
        for (const options of [framing, tight]) {
          const whole = decode(options, [stream]);
          expect(decode(options, cut(stream, cuts))).toEqual(whole);
          expect(decode(options, cut(stream, [1]))).toEqual(whole);
        }
      }),
      { numRuns: 300 },
    );
  });
});
