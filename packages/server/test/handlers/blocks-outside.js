'use strict';
/** Answers lines; after 'block' it stands still outside of any handler, and workerData[0] says that it does. */
let mark;

function block() {
  Atomics.store(mark, 0, 1);
  for (;;);
}

module.exports = {
  start({ workerData }) {
    mark = workerData;
  },
  message(connection, message) {
    if (message.utf8() === 'block') setImmediate(block);
    connection.send(message);
  },
};
