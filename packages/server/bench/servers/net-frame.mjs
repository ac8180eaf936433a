// node:net as it is mostly written: one write for each frame. The writes of a chunk stand between cork() and
// uncork(), so that they leave in one system call: without that it is several times slower at depth 16 and more.

import { createServer } from 'node:net';
import { announce } from './announce.mjs';
import { BROKEN, protocols } from './frames.mjs';

const { frameEnd, reply } = protocols[process.argv[2]];
const EMPTY = Buffer.alloc(0);
let frames = 0;

const server = createServer({ noDelay: true }, (socket) => {
  let unread = EMPTY;
  socket.on('data', (chunk) => {
    const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
    let at = 0;
    let writable = true;
    let end = frameEnd(bytes, 0);
    socket.cork();
    while (end > 0) {
      writable = socket.write(reply(bytes, at, end));
      frames += 1;
      at = end;
      end = frameEnd(bytes, at);
    }
    socket.uncork();
    if (end === BROKEN) {
      socket.destroy();
      return;
    }
    unread = at === bytes.length ? EMPTY : bytes.subarray(at);
    if (!writable) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
});

server.listen({ port: 0, host: '127.0.0.1' }, () => announce(server.address().port, () => frames));
