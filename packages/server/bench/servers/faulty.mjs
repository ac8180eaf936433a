// A server with one deliberate fault, for the self-check of the load generator: `faulty.mjs echo|resp FAULT`. The fault
// meets the 500th frame, counted over all connections.

import { createServer } from 'node:net';
import { announce } from './announce.mjs';
import { protocols } from './frames.mjs';

const FAULTY_FRAME = 500;
const DELAY_MS = 20;
const { frameEnd, reply } = protocols[process.argv[2]];
const fault = process.argv[3];
let frames = 0;

/** The replies to send for this reply. @param {{ held: Buffer | undefined }} state of the connection */
function withFault(state, bytes, socket) {
  if (state.held !== undefined) {
    const held = state.held;
    state.held = undefined;
    return [bytes, held];
  }
  if (frames !== FAULTY_FRAME) return [bytes];
  switch (fault) {
    case 'corrupt':
      return [Buffer.concat([bytes.subarray(0, -3), Buffer.from([bytes.at(-3) ^ 1]), bytes.subarray(-2)])];
    case 'double':
      return [bytes, bytes];
    case 'lose':
      return [];
    case 'swap':
      state.held = bytes;
      return [];
    case 'close':
      socket.destroy();
      return [];
    default:
      return [bytes];
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const state = { held: undefined };
  let unread = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const bytes = Buffer.concat([unread, chunk]);
    const replies = [];
    let at = 0;
    for (let end = frameEnd(bytes, 0); end > 0; end = frameEnd(bytes, at)) {
      frames += 1;
      replies.push(...withFault(state, reply(bytes, at, end), socket));
      at = end;
    }
    unread = bytes.subarray(at);
    if (fault === 'silent' || socket.destroyed) return;
    const send = () => socket.write(Buffer.concat(replies));
    if (fault === 'delay') setTimeout(send, DELAY_MS);
    else send();
  });
});

server.listen({ port: 0, host: '127.0.0.1' }, () => announce(server.address().port, () => frames));
