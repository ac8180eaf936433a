// Does the load generator tell the truth? It is run against servers whose faults are known.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { runLoad } from './load.mjs';
import { ServerProcess } from './server-process.mjs';

const FAULTY = fileURLToPath(new URL('./servers/faulty.mjs', import.meta.url));
const CONNECTIONS = 20;
const DELAY_US = 20_000;

/** Prints a line for each check; throws at the first that fails. @param {{ load: string, epollServer: string }} native */
export async function selfCheck(native) {
  const epoll = (protocol) => ({ name: 'epoll', command: native.epollServer, args: ['--protocol', protocol] });
  const faulty = (protocol, fault) => ({ name: fault, command: process.execPath, args: [FAULTY, protocol, fault] });

  const check = async (title, entry, protocol, depth, verify) => {
    const server = await ServerProcess.start(entry);
    const load = { port: server.port, pid: server.pid, protocol, connections: CONNECTIONS, depth };
    const result = await runLoad(native.load, { ...load, seconds: 0.5, warmup: 0.1 });
    verify(result, await server.end());
    console.log(`ok: ${title} (${protocol}, depth ${depth})`);
  };

  for (const protocol of ['echo', 'resp']) {
    for (const depth of [1, 64, 4096]) {
      await check('client and server count the same', epoll(protocol), protocol, depth, (result, frames) => {
        assert.equal(result.errors, 0);
        assert.equal(result.unclosed, 0);
        assert.equal(result.sent, frames);
        assert.equal(result.received, frames);
        assert.ok(result.messages > 0 && result.messages < frames);
        assert.ok(result.serverCpuSeconds > 0 && result.loadCpuSeconds > 0);
      });
    }
    await check('latencies are the ones the server causes', faulty(protocol, 'delay'), protocol, 4, (result) => {
      assert.equal(result.errors, 0);
      // A timer may fire up to a millisecond early, and no reply can be faster than it.
      assert.ok(result.p50Us > DELAY_US - 1000, `p50 ${result.p50Us} µs`);
      assert.ok(result.p50Us <= result.p99Us && result.p99Us <= result.p999Us && result.p999Us <= result.maxUs * 1.01);
      // Little: requests in flight = rate × mean time in flight. Holds to the two ends of the window.
      const inFlight = (result.messages / result.seconds) * (result.meanUs / 1e6);
      assert.ok(Math.abs(inFlight / (CONNECTIONS * 4) - 1) < 0.1, `${inFlight} in flight`);
    });
    await check('a changed reply is found', faulty(protocol, 'corrupt'), protocol, 16, (result) => {
      assert.equal(result.corrupt, 1);
    });
    await check('a doubled reply is found', faulty(protocol, 'double'), protocol, 1, (result) => {
      assert.equal(result.excess, 1);
    });
    await check('a lost reply is found', faulty(protocol, 'lose'), protocol, 1, (result) => {
      assert.equal(result.unanswered, 1);
    });
    await check('a closed connection is found', faulty(protocol, 'close'), protocol, 16, (result) => {
      assert.equal(result.closed, 1);
    });
    await check('silence is counted and has an end', faulty(protocol, 'silent'), protocol, 16, (result) => {
      assert.equal(result.messages, 0);
      assert.equal(result.unanswered, CONNECTIONS * 16);
    });
  }
  for (const fault of ['swap', 'lose', 'double']) {
    await check(`replies out of order are found: ${fault}`, faulty('echo', fault), 'echo', 16, (result) => {
      assert.equal(result.corrupt, 1);
    });
  }
}
