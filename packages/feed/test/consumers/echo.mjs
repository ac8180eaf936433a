// Posts back what it reads, and when it starts and stops.
let channel;

export default {
  start({ workerIndex, workerData }) {
    channel = new BroadcastChannel(workerData.channel);
    channel.unref();
    channel.postMessage({ started: workerIndex });
  },
  batch(batch, { workerIndex }) {
    const rows = [];
    for (let i = 0; i < batch.length; i++) rows.push([batch.key(i), Buffer.from(batch.bytes(i)).toString()]);
    channel.postMessage({ worker: workerIndex, rows });
  },
  async stop() {
    await null;
    channel.postMessage({ stopped: true });
  },
};
