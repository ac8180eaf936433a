// A thread of sharing.test.ts: does as workerData.task says, attached to workerData.token if there is one.
'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { TimerWheel } = require('@millrace/timer-wheel');

const wheel = workerData.token === undefined ? new TimerWheel() : TimerWheel.attach(workerData.token);

const tasks = {
  schedule() {
    const handles = workerData.ids.map((id) => wheel.schedule(workerData.delayMs, id));
    parentPort.postMessage(handles);
  },
  cancel() {
    parentPort.postMessage(wheel.cancelMany(Float64Array.from(workerData.handles)));
  },
  timeout() {
    wheel.setTimeout((text) => parentPort.postMessage(text), 1, 'called here');
  },
  own() {
    wheel.schedule(1e9, 1);
    wheel.setTimeout(() => undefined, 1e9);
    parentPort.postMessage(wheel.share());
  },
  // Until it is terminated, at whatever moment: on its own wheel, and on the other.
  churn() {
    const own = new TimerWheel();
    let expired = 0;
    own.onExpire = (ids) => {
      expired += ids.length;
      for (const id of ids) own.schedule(id % 3, id);
    };
    for (let id = 0; id < 200; id++) own.schedule(id % 5, id);
    const turn = () => {
      const handles = new Float64Array(100);
      wheel.scheduleMany(new Uint32Array(100).fill(1), new Uint32Array(100), handles);
      wheel.cancelMany(handles.subarray(0, 90));
      own.setTimeout(() => undefined, 2);
      if (expired > 1000) {
        expired = -Infinity;
        parentPort.postMessage('busy');
      }
      setImmediate(turn);
    };
    turn();
  },
};
tasks[workerData.task]();
