'use strict';
/**
 * Echoes lines, and takes a while for each. workerData.marks[workerIndex] is 1 while a handler runs, and
 * stays so when its thread ends in the middle: the next one counts that in the last but one mark. The last
 * counts connections that were reopened. Some words end the thread.
 */
let marks;
let index;

function spin(iterations) {
  let sum = 0;
  for (let i = 0; i < iterations; i++) sum += i;
  return sum;
}

function fail() {
  throw new Error('nobody catches this');
}

module.exports = {
  start({ workerData, workerIndex }) {
    marks = workerData?.marks;
    index = workerIndex;
    if (marks !== undefined) Atomics.add(marks, marks.length - 2, Atomics.exchange(marks, index, 0));
  },
  open(connection, { reopened }) {
    if (reopened && marks !== undefined) Atomics.add(marks, marks.length - 1, 1);
  },
  message(connection, message) {
    if (marks !== undefined) Atomics.store(marks, index, 1);
    const text = message.latin1();
    connection.send(text);
    spin(100_000);
    if (text === 'exit') process.exit(0);
    if (text === 'throw later') setImmediate(fail);
    if (text === 'hang') for (;;);
    if (marks !== undefined) Atomics.store(marks, index, 0);
  },
};
