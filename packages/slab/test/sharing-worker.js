// A thread of sharing.test.ts: attaches to workerData.token and does as workerData.task says.
'use strict';
const { parentPort, workerData } = require('node:worker_threads');
const { GrowableBuffer, SlabAllocator } = require('@millrace/slab');

const slab = SlabAllocator.attach(workerData.token);

const tasks = {
  // Frees what it is told the offsets of, after a look at the mark in each.
  consume() {
    let wrong = 0;
    parentPort.on('message', (offsets) => {
      for (const offset of offsets) {
        if (slab.memory[offset] !== offset % 251) wrong++;
        slab.free(offset);
      }
      parentPort.postMessage(wrong);
    });
  },
  // Allocates, hands every other block on, and ends.
  leave() {
    const offsets = new Uint32Array(1000);
    slab.allocateMany(500, offsets);
    for (let i = 0; i < offsets.length; i += 2) slab.handOn(offsets[i]);
    slab.allocateBuffer(5000);
    new GrowableBuffer(slab).append('some bytes');
    new GrowableBuffer(slab, { mapThresholdBytes: 0 }).append('some more');
    parentPort.postMessage(offsets.filter((_, i) => i % 2 === 0));
    if (workerData.exit) process.exit();
  },
  // Until it is terminated, at whatever moment.
  churn() {
    const many = new Uint32Array(64);
    const held = [];
    const growing = new GrowableBuffer(slab, { mapThresholdBytes: 200_000 });
    parentPort.postMessage('busy');
    for (let i = 0; ; i++) {
      const offset = slab.tryAllocate((i * 37) % 9000);
      if (offset >= 0) held.push(offset);
      if (held.length > 500) slab.free(held.splice((i * 7) % 500, 1)[0]);
      if (i % 16 === 0) slab.freeMany(many.subarray(0, slab.allocateMany((i * 13) % 3000, many)));
      if (i % 64 === 0) slab.allocateBuffer(i % 5000);
      if (i % 32 === 0) slab.freeBuffer(slab.allocateBuffer(i % 5000));
      if (i % 8 === 0) growing.append(Buffer.allocUnsafe(i % 1000));
      if (growing.length > 400_000) growing.consume(growing.bytes().length);
      if (i % 128 === 0) held.splice(0, 3).forEach((one) => slab.adopt(one) ?? slab.free(one));
      if (i % 4096 === 0) slab.trim();
    }
  },
};
tasks[workerData.task]();
