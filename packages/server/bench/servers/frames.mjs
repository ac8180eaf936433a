// Where the frames of a chunk end, for the servers written in JavaScript: every one of them looks at every header, so
// that all servers of the benchmark do the same work on the same bytes.

export const INCOMPLETE = -1;
export const BROKEN = -2;

const PREFIX_BYTES = 4;
const MAX_FRAME_BYTES = 1 << 20;
const CR = 13;
const LF = 10;
const ASTERISK = 42;
const DOLLAR = 36;

/** The end of the length-prefixed frame that starts at `at`, or INCOMPLETE, or BROKEN. */
export function echoFrameEnd(bytes, at) {
  const begin = at + PREFIX_BYTES;
  if (begin > bytes.length) return INCOMPLETE;
  const length = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  if (length > MAX_FRAME_BYTES) return BROKEN;
  return begin + length <= bytes.length ? begin + length : INCOMPLETE;
}

/** The end of the RESP array of bulk strings that starts at `at`, or INCOMPLETE, or BROKEN. */
export function respFrameEnd(bytes, at) {
  let end = lineEnd(bytes, at, ASTERISK);
  if (end < 0) return end;
  for (let left = lineCount(bytes, at, end); left > 0; left -= 1) {
    const begin = lineEnd(bytes, end, DOLLAR);
    if (begin < 0) return begin;
    const length = lineCount(bytes, end, begin);
    if (length > MAX_FRAME_BYTES) return BROKEN;
    end = begin + length + 2;
    if (end > bytes.length) return INCOMPLETE;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return BROKEN;
  }
  return end;
}

/** Behind the line `<marker><digits>\r\n` that starts at `at`. */
function lineEnd(bytes, at, marker) {
  if (at >= bytes.length) return INCOMPLETE;
  if (bytes[at] !== marker) return BROKEN;
  let i = at + 1;
  while (i < bytes.length && bytes[i] >= 48 && bytes[i] <= 57) i += 1;
  if (i - at > 8) return BROKEN;
  if (i + 1 >= bytes.length) return INCOMPLETE;
  return i > at + 1 && bytes[i] === CR && bytes[i + 1] === LF ? i + 2 : BROKEN;
}

function lineCount(bytes, at, end) {
  let count = 0;
  for (let i = at + 1; i < end - 2; i += 1) count = count * 10 + bytes[i] - 48;
  return count;
}

const PONG = Buffer.from('+PONG\r\n');
let pongs = Buffer.alloc(PONG.length * 8192, PONG);

/** `count` PONG replies in one buffer that is shared: read it, write it, do not keep it. */
function pongReplies(count) {
  const bytes = count * PONG.length;
  if (bytes > pongs.length) pongs = Buffer.alloc(bytes * 2, PONG);
  return pongs.subarray(0, bytes);
}

/**
 * What a server needs of a protocol: where a frame ends, the replies to all frames of `bytes[0, end)` as one piece
 * (an echo answers with the bytes themselves), and the reply to one frame.
 */
export const protocols = {
  echo: {
    frameEnd: echoFrameEnd,
    replies: (bytes, end) => (end === bytes.length ? bytes : bytes.subarray(0, end)),
    reply: (bytes, begin, end) => bytes.subarray(begin, end),
  },
  resp: {
    frameEnd: respFrameEnd,
    replies: (bytes, end, count) => pongReplies(count),
    reply: () => PONG,
  },
};
