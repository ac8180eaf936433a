// The handler of the comparison: reads a number out of each message, and wakes who waits when it has seen all of them.
// workerData: Int32Array [messages to come, sum, seen].
export default {
  batch(batch, { workerData: cells }) {
    let sum = 0;
    for (let i = 0; i < batch.length; i++) sum += batch.view.getUint32(batch.offset(i), true);
    cells[1] += sum;
    cells[2] += batch.length;
    if (cells[2] === cells[0]) Atomics.notify(cells, 2);
  },
};
