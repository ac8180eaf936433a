'use strict';
const { execFileSync } = require('node:child_process');

/** Echoes lines with what it remembers of their connection; some words end its thread, in many ways. */
const spin = (ms) => {
  for (const until = performance.now() + ms; performance.now() < until;);
};

module.exports = {
  data: () => ({ count: 0, reopened: undefined }),
  open(connection, { reopened }) {
    connection.data.reopened = reopened;
  },
  message(connection, message) {
    const text = message.utf8();
    const { data } = connection;
    const answer = () => connection.send(`${text} ${++data.count}${data.reopened ? ' reopened' : ''}`);
    const [word, argument] = text.split(' ');
    switch (word) {
      case 'exit':
        connection.send('lost with its message');
        return process.exit(3);
      case 'throw-later':
        setImmediate(() => {
          throw Object.assign(new RangeError('nobody catches this'), { code: 'ERR_OF_MINE' });
        });
        return answer();
      case 'reject-later':
        void Promise.reject(new Error('nobody catches this either'));
        return answer();
      case 'hang':
        for (;;);
      case 'hang-later':
        // When the batch has ended, and the answer has left.
        setImmediate(() => {
          for (;;);
        });
        return answer();
      case 'blocked-by-a-child':
        return void execFileSync('sleep', [argument]);
      case 'memory': {
        const all = [];
        for (;;) all.push(new Array(100_000).fill(0).map((_, i) => ({ i })));
      }

      case 'spin':
        spin(Number(argument));
        return answer();
      case 'wait':
        return new Promise(() => {});
      default:
        return answer();
    }
  },
};
