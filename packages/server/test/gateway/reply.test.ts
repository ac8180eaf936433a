import { Reply, type Protocol } from '../../dist/gateway/reply.js';

/** Keeps copies, as a connection does: the writer uses its buffer again. */
class Output {
  readonly writes: Buffer[] = [];

  write(bytes: Uint8Array): boolean {
    this.writes.push(Buffer.from(bytes));
    return true;
  }

  get text(): string {
    return Buffer.concat(this.writes).toString('latin1');
  }
}

function written(protocol: Protocol, write: (reply: Reply) => void): Output {
  const output = new Output();
  const reply = new Reply();
  reply.begin(output, protocol);
  write(reply);
  reply.flush();
  return output;
}

test.each<[string, (reply: Reply) => void, string, string]>([
  ['ok', (r) => r.ok(), '+OK\r\n', '+OK\r\n'],
  ['nil', (r) => r.nil(), '$-1\r\n', '_\r\n'],
  ['a small integer', (r) => r.integer(7), ':7\r\n', ':7\r\n'],
  ['a large integer', (r) => r.integer(-(2n ** 63n)), ':-9223372036854775808\r\n', ':-9223372036854775808\r\n'],
  ['a bulk string', (r) => r.bulk(Buffer.from([0, 255])), '$2\r\n\x00\xff\r\n', '$2\r\n\x00\xff\r\n'],
  ['a text', (r) => r.bulkText('\xe9'), '$1\r\n\xe9\r\n', '$1\r\n\xe9\r\n'],
  ['a map', (r) => r.map(2), '*4\r\n', '%2\r\n'],
  ['a set', (r) => r.set(2), '*2\r\n', '~2\r\n'],
  ['a push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
  ['a verbatim text', (r) => r.verbatim('a\n'), '$2\r\na\n\r\n', '=6\r\ntxt:a\n\r\n'],
  ['an error of two lines', (r) => r.error('ERR a\r\nb'), '-ERR a  b\r\n', '-ERR a  b\r\n'],
])('%s', (_name, write, resp2, resp3) => {
  expect(written(2, write).text).toBe(resp2);
  expect(written(3, write).text).toBe(resp3);
});

test('a short reply of several parts is one write', () => {
  const { writes, text } = written(2, (reply) => {
    reply.array(2);
    reply.bulkText('a');
    reply.nil();
  });
  expect(writes).toHaveLength(1);
  expect(text).toBe('*2\r\n$1\r\na\r\n$-1\r\n');
});

test.each([0, 1, 511, 512, 1023, 1024, 4096, 4097, 20_000])('a bulk string of %d bytes', (length) => {
  const bytes = Buffer.alloc(length, 'x');
  const expected = `*2\r\n$${length}\r\n${bytes.toString()}\r\n$${length}\r\n${bytes.toString()}\r\n`;
  const { text } = written(2, (reply) => {
    reply.array(2);
    reply.bulk(bytes);
    reply.bulkText(bytes.toString());
  });
  expect(text).toBe(expected);
});

test('a reply longer than the buffer comes in pieces, in order', () => {
  const { text } = written(3, (reply) => {
    for (let i = 0; i < 10_000; i++) reply.integer(i);
  });
  expect(text).toBe(Array.from({ length: 10_000 }, (_, i) => `:${i}\r\n`).join(''));
});
