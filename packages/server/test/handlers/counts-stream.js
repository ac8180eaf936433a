'use strict';
/** Counts long lines in workerData, and answers short ones with the count. */
let streamed;
module.exports = {
  start({ workerData }) {
    streamed = workerData;
  },
  message(connection, message) {
    if (message.byteLength > 8) Atomics.add(streamed, 0, 1);
    else connection.send(`${message.utf8()} ${Atomics.load(streamed, 0)}`);
  },
};
