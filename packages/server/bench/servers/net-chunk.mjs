// node:net in its best form: every frame of a chunk is looked at, and all replies leave in one write. An echo writes
// the chunk it was given; writing each frame between cork() and uncork() (net-frame.mjs) is slower.

import { createServer } from 'node:net';
import { announce } from './announce.mjs';
import { BROKEN, protocols } from './frames.mjs';

const { frameEnd, replies } = protocols[process.argv[2]];
const EMPTY = Buffer.alloc(0);
let frames = 0;

const server = createServer({ noDelay: true }, (socket) => {
  let unread = EMPTY;
  socket.on('data', (chunk) => {
    const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    let at = 0;
    let count = 0;
    let end = frameEnd(bytes, 0);
    while (end > 0) {
      at = end;
      count += 1;
      end = frameEnd(bytes, at);
    }
    if (end === BROKEN) {
      socket.destroy();
      return;
    }
    unread = at === bytes.length ? EMPTY : bytes.subarray(at);
    if (count === 0) return;
    frames += count;
    if (!socket.write(replies(bytes, at, count))) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
});

server.listen({ port: 0, host: '127.0.0.1' }, () => announce(server.address().port, () => frames));
