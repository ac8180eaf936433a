'use strict';
/** Sends back what comes. */
module.exports = {
  message(connection, message) {
    connection.send(message);
  },
};
