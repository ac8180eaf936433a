'use strict';
/** Throws what throws again when somebody looks at it. */
function getter() {
  throw new Error('a getter failed');
}

module.exports = {
  message(connection, message) {
    const text = message.utf8();
    if (text === 'property') {
      throw Object.defineProperty(new Error('on purpose'), 'detail', { enumerable: true, get: getter });
    }
    if (text === 'cause') throw Object.defineProperty(new Error('on purpose'), 'cause', { get: getter });
    connection.send(message);
  },
};
