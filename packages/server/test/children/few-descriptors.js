'use strict';
// Started with `ulimit -n 64` by its test, which is its client. Answers 'look' with figures and the
// processor time that has passed since the last look.
const { createServer, lines } = require('@millrace/server');

const server = createServer({
  framing: lines(),
  handler: { message: (connection, message) => void connection.send(message) },
});
let before = process.cpuUsage();
process.on('message', (message) => {
  if (message === 'close') {
    void server.close({ drainMs: 0 }).then(() => process.disconnect());
    return;
  }
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  process.send({ ...server.stats().connections, cpuMs: (user + system) / 1000 });
});
void server.listen({ host: '127.0.0.1' }).then(({ port }) => process.send({ port }));
