// Bun.listen in its best form: every frame of a chunk is looked at, all replies leave in one write. What a short write
// leaves over is kept, and the connection is not read until it is out.

import { announce } from './announce.mjs';
import { BROKEN, protocols } from './frames.mjs';

const { frameEnd, replies } = protocols[process.argv[2]];
const EMPTY = Buffer.alloc(0);
let frames = 0;

const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.setNoDelay(true);
      socket.data = { unread: EMPTY, unsent: EMPTY };
    },
    data(socket, chunk) {
      const state = socket.data;
      const bytes = state.unread.length === 0 ? chunk : Buffer.concat([state.unread, chunk]);
      let at = 0;
      let count = 0;
      let end = frameEnd(bytes, 0);
      while (end > 0) {
        at = end;
        count += 1;
        end = frameEnd(bytes, at);
      }
      if (end === BROKEN) {
        socket.terminate();
        return;
      }
      state.unread = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
      if (count === 0) return;
      frames += count;
      send(socket, state, replies(bytes, at, count));
    },
    drain(socket) {
      const { unsent } = socket.data;
      if (unsent.length === 0) return;
      socket.data.unsent = EMPTY;
      send(socket, socket.data, unsent);
      if (socket.data.unsent.length === 0) socket.resume();
    },
    error(socket) {
      socket.terminate();
    },
  },
});

function send(socket, state, bytes) {
  if (state.unsent.length > 0) {
    state.unsent = Buffer.concat([state.unsent, bytes]);
    return;
  }
  const written = socket.write(bytes);
  if (written === bytes.length) return;
  if (written < 0) return; // the connection is closed, or closing
  state.unsent = Buffer.from(bytes.subarray(written));
  socket.pause();
}

announce(server.port, () => frames);
