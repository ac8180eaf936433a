// The gateway's handler, and a command that never returns.
const { default: handler } = require('../../dist/gateway/handler.js');

module.exports = {
  ...handler,
  message(connection, message) {
    if (message.partLatin1(0) === 'BLOCK') for (;;);
    handler.message(connection, message);
  },
};
