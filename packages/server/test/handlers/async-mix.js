'use strict';
/**
 * Lines "client number delay": an answer after so many turns of the loop, made of the message as it is
 * then. A negative delay fails: -1 throws, -2 rejects. Uneven clients are answered by reference.
 */
const turn = () => new Promise((resolve) => setImmediate(resolve));

module.exports = {
  message(connection, message) {
    const [client, , delay] = message.utf8().split(' ').map(Number);
    const answer = () => {
      if (client % 2 === 0) {
        connection.send(message.utf8());
      } else {
        connection.write(message);
        connection.write('\n');
      }
    };
    if (delay === -1) throw new Error('on purpose');
    if (delay === 0) return answer();
    return (async () => {
      if (delay === -2) throw new Error('on purpose');
      for (let i = 0; i < delay; i++) await turn();
      answer();
    })();
  },
};
