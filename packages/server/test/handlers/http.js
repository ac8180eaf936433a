'use strict';
const http = require('node:http');

const web = http.createServer((incoming, response) => response.end(incoming.url));

module.exports = {
  open(connection) {
    web.emit('connection', connection.toDuplex());
  },
};
