'use strict';

const crypto = require('node:crypto');
const net = require('node:net');
const { setTimeout: delay } = require('node:timers/promises');

/**
 * Runs `action` while no other process on this machine runs one under the same name. The lock is a name in the
 * abstract socket namespace: the kernel frees it however the process ends, so none is ever stale.
 */
async function withLock(name, action) {
  const address = `\0millrace-${crypto.createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  let server;
  while ((server = await tryListen(address)) === undefined) await delay(100);
  try {
    return await action();
  } finally {
    server.close();
  }
}

function tryListen(path) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen({ path }, () => resolve(server));
  });
}

module.exports = { withLock };
